import type { RtpView } from '../rtp/packet.ts';

const WINDOW = 512;
const MASK = WINDOW - 1;
/** A sender that jumps further back than this has begun anew (RFC 3550 §A.1). */
const RESTART = 3000;

/** One packet in its turn. Its bytes are valid during the call only. */
export interface OrderedPacket {
  buffer: Buffer;
  offset: number;
  length: number;
  marker: boolean;
  timestamp: number;
  ssrc: number;
  /** Of its arrival, not of its turn: `Clock.nowMs`. */
  arrivalMs: number;
  /** In lower case. */
  codec: string;
}

interface Slot extends OrderedPacket {
  sequenceNumber: number;
  used: boolean;
}

export interface ReorderEvents {
  packet(packet: OrderedPacket): void;
  /** Packets are missing before the next one. */
  lost(): void;
}

/**
 * Brings packets into the order of their sequence numbers. What is missing is waited for, `holdMs` at most: a file can wait for
 * a retransmission. What comes in order is handed on without being copied. Pure.
 */
export class Reorder {
  readonly #holdMs: number;
  readonly #events: ReorderEvents;
  readonly #slots: (Slot | undefined)[] = new Array<Slot | undefined>(WINDOW);
  readonly #passing: OrderedPacket = newPacket();
  #held = 0;
  #next = -1;
  #ssrc = -1;

  constructor(options: { holdMs: number; events: ReorderEvents }) {
    this.#holdMs = options.holdMs;
    this.#events = options.events;
  }

  packetReceived(view: RtpView, codec: string, nowMs: number): void {
    if (view.ssrc !== this.#ssrc) this.#restart(view);
    const ahead = (view.sequenceNumber - this.#next) & 0xffff;
    if (ahead === 0) this.#pass(view, codec, nowMs);
    else if (ahead < 0x8000) this.#hold(view, codec, nowMs);
    else if (0x10000 - ahead > RESTART) {
      this.#restart(view);
      this.#pass(view, codec, nowMs);
    }
    this.tick(nowMs);
  }

  /** What is held of the stream before goes on first. */
  #restart(view: RtpView): void {
    this.flush();
    if (this.#ssrc >= 0) this.#events.lost();
    this.#ssrc = view.ssrc;
    this.#next = view.sequenceNumber;
  }

  #pass(view: RtpView, codec: string, nowMs: number): void {
    this.#next = (this.#next + 1) & 0xffff;
    const packet = this.#passing;
    describe(packet, { view, codec, nowMs });
    packet.buffer = view.buffer;
    packet.offset = view.payloadOffset;
    this.#events.packet(packet);
    this.#drain();
  }

  #hold(view: RtpView, codec: string, nowMs: number): void {
    while (((view.sequenceNumber - this.#next) & 0xffff) >= WINDOW) {
      if (this.#held > 0) this.#skip();
      else this.#jump(view.sequenceNumber);
    }
    if (view.sequenceNumber === this.#next) return this.#pass(view, codec, nowMs);
    const slot = (this.#slots[view.sequenceNumber & MASK] ??= { ...newPacket(), sequenceNumber: 0, used: false });
    if (slot.used) return;
    if (slot.buffer.length < view.payloadLength) slot.buffer = Buffer.allocUnsafe(Math.max(1280, view.payloadLength));
    view.buffer.copy(slot.buffer, 0, view.payloadOffset, view.payloadOffset + view.payloadLength);
    describe(slot, { view, codec, nowMs });
    slot.sequenceNumber = view.sequenceNumber;
    slot.used = true;
    this.#held++;
  }

  #jump(sequenceNumber: number): void {
    this.#events.lost();
    this.#next = sequenceNumber;
  }

  /** Gives up what has been waited for too long. */
  tick(nowMs: number): void {
    while (this.#held > 0 && nowMs - this.#first().arrivalMs >= this.#holdMs) this.#skip();
  }

  /** Gives up all that is missing and hands on what is held. */
  flush(): void {
    while (this.#held > 0) this.#skip();
  }

  #first(): Slot {
    let sequenceNumber = this.#next;
    for (;;) {
      const slot = this.#slots[sequenceNumber & MASK];
      if (slot?.used) return slot;
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
    }
  }

  #skip(): void {
    this.#jump(this.#first().sequenceNumber);
    this.#drain();
  }

  #drain(): void {
    while (this.#held > 0) {
      const slot = this.#slots[this.#next & MASK];
      if (!slot?.used) return;
      slot.used = false;
      this.#held--;
      this.#next = (this.#next + 1) & 0xffff;
      this.#events.packet(slot);
    }
  }
}

function newPacket(): OrderedPacket {
  return { buffer: Buffer.alloc(0), offset: 0, length: 0, marker: false, timestamp: 0, ssrc: 0, arrivalMs: 0, codec: '' };
}

function describe(packet: OrderedPacket, from: { view: RtpView; codec: string; nowMs: number }): void {
  packet.length = from.view.payloadLength;
  packet.marker = from.view.marker;
  packet.timestamp = from.view.timestamp;
  packet.ssrc = from.view.ssrc;
  packet.arrivalMs = from.nowMs;
  packet.codec = from.codec;
}
