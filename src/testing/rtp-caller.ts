import { createSocket, type Socket } from 'node:dgram';

const FRAME_SAMPLES = 160;
const FRAME_MS = 20;

/** µ-law by the book (ITU-T G.711), kept apart from the code under test. */
export function muLawOf(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(Math.round(sample)), 32_635) + 132;
  let exponent = 7;
  for (let mask = 0x4000; exponent > 0 && (magnitude & mask) === 0; mask >>= 1) exponent--;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** µ-law code → sample. */
export function muLawToPcm(code: number): number {
  const u = ~code & 0xff;
  const magnitude = (((u & 0x0f) << 3) + 132) << ((u >> 4) & 7);
  return u & 0x80 ? 132 - magnitude : magnitude - 132;
}

/** Power of one frequency in samples at 8 kHz, 1.0 for a full-scale sine (Goertzel, Hann window). */
export function tonePower(pcm: ArrayLike<number>, frequencyHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequencyHz) / 8000);
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < pcm.length; i++) {
    const window = 1 - Math.cos((2 * Math.PI * (i + 0.5)) / pcm.length);
    const s = ((pcm[i] as number) * window) / 32_768 + coefficient * s1 - s2;
    s2 = s1;
    s1 = s;
  }
  const power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
  return pcm.length === 0 ? 0 : (4 * power) / pcm.length ** 2;
}

/** One packet that the caller got. */
export interface HeardPacket {
  atMs: number;
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  marker: boolean;
  payload: Buffer;
}

/**
 * A PCMU phone without SIP, on loopback: hums its own tone, keeps what it hears. For tests that listen.
 */
export class RtpCaller {
  readonly heard: HeardPacket[] = [];
  readonly rtcp: Buffer[] = [];
  /** What it does to each packet before it goes (SRTP). */
  seal: (packet: Buffer) => Buffer = (packet) => packet;
  /** Sees each packet as it came. */
  packetReceived: (packet: Buffer) => void = () => {};
  readonly #socket: Socket;
  readonly #frequencyHz: number;
  readonly #startedMs = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #sent = 0;
  #target = 0;
  #packetsSent = 0;
  sequence = 1000;
  timestamp = 160_000;
  ssrc = 0x1234_0000 + Math.floor(Math.random() * 0xffff);

  private constructor(socket: Socket, frequencyHz: number) {
    this.#socket = socket;
    this.#frequencyHz = frequencyHz;
    socket.on('message', (packet) => this.#received(packet));
  }

  /** 0 Hz is silence. */
  static async open(frequencyHz: number): Promise<RtpCaller> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new RtpCaller(socket, frequencyHz);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** All that were sent, wherever to. */
  get packetsSent(): number {
    return this.#packetsSent;
  }

  /** Hums towards that port of loopback until `close`. */
  start(target: number): void {
    this.#target = target;
    const beganMs = performance.now();
    const begunWith = this.#sent;
    this.#timer = setInterval(() => {
      while ((this.#sent - begunWith) * FRAME_MS <= performance.now() - beganMs) this.#sendFrame();
    }, 5);
  }

  stopHumming(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Sends one packet as given. */
  send(payloadType: number, payload: Buffer, options: { marker?: boolean; timestamp?: number; target?: number } = {}): void {
    const packet = Buffer.alloc(12 + payload.length);
    packet[0] = 0x80;
    packet[1] = (options.marker ? 0x80 : 0) | payloadType;
    packet.writeUInt16BE(this.sequence++ & 0xffff, 2);
    packet.writeUInt32BE((options.timestamp ?? this.timestamp) >>> 0, 4);
    packet.writeUInt32BE(this.ssrc >>> 0, 8);
    payload.copy(packet, 12);
    this.#packetsSent++;
    this.#socket.send(this.seal(packet), options.target ?? this.#target, '127.0.0.1');
  }

  /** Samples heard since `fromMs` before now, of packets with payload type 0. */
  pcm(lastMs: number): Int16Array {
    const since = performance.now() - lastMs;
    const bytes = Buffer.concat(this.heard.filter((p) => p.atMs >= since && p.payloadType === 0).map((p) => p.payload));
    return Int16Array.from(bytes, muLawToPcm);
  }

  /** Power of a frequency in the last `lastMs` of what was heard. */
  hears(frequencyHz: number, lastMs = 400): number {
    return tonePower(this.pcm(lastMs), frequencyHz);
  }

  close(): void {
    this.stopHumming();
    this.#socket.close();
  }

  #sendFrame(): void {
    const payload = Buffer.alloc(FRAME_SAMPLES, 0xff);
    if (this.#frequencyHz > 0) {
      for (let i = 0; i < FRAME_SAMPLES; i++) {
        payload[i] = muLawOf(8000 * Math.sin((2 * Math.PI * this.#frequencyHz * (this.#sent * FRAME_SAMPLES + i)) / 8000));
      }
    }
    this.send(0, payload, { marker: this.#sent === 0 });
    this.#sent++;
    this.timestamp += FRAME_SAMPLES;
  }

  #received(packet: Buffer): void {
    const type = packet[1] as number;
    this.packetReceived(packet);
    if (type >= 192 && type <= 223) {
      this.rtcp.push(packet);
      return;
    }
    this.heard.push({
      atMs: performance.now(),
      payloadType: type & 0x7f,
      marker: type >= 0x80,
      sequenceNumber: packet.readUInt16BE(2),
      timestamp: packet.readUInt32BE(4),
      ssrc: packet.readUInt32BE(8),
      payload: packet.subarray(12),
    });
  }

  /** Milliseconds since it was opened. */
  get ageMs(): number {
    return performance.now() - this.#startedMs;
  }
}
