import type { TrackSid } from '../../base/sid.ts';
import { g711, type G711, type LawCodec } from '../codec/g711.ts';
import type { PhoneCodec } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { MixParty } from './mix-party.ts';
import { WideMix } from './wide-mix.ts';
import type { WideStream } from './wide-stream.ts';

/** Somebody who may talk: a phone, a browser's audio track, a prompt. */
export interface MixInput {
  /** 160 samples at 8 kHz; valid after `pull` returned true, until the next one. */
  readonly pcm: Int16Array;
  /** 320 samples at 16 kHz of the same frame, made when they are asked for. */
  wide(): Int16Array;
  /** Level of the last frame. */
  readonly levelDbov: number;
  /** Moves on by 20 ms; false when there is nothing to be heard. */
  pull(nowMs: number): boolean;
}

/** Somebody who listens: a phone. */
export interface MixOutput {
  readonly codec: PhoneCodec;
  /** Its outgoing stream where the codec is a wide-band one, else null. */
  readonly stream: WideStream | null;
  /** What this party says itself and therefore does not hear. */
  readonly ownVoice: MixInput | null;
  /** False while it hears something else (a prompt) or nothing (hold). */
  readonly wantsMix: boolean;
  /** 20 ms in its codec, shared with others: to be copied, not kept. Null when it does not want the mix. */
  tick(mix: Uint8Array | null, nowMs: number): void;
}

/** Listens to the mix of all who are heard by everybody, without prompts: a recording of the room. */
export interface MixTap {
  /** 160 samples, valid during the call only. Never throws; may remove itself. */
  frame(mix: Int16Array, nowMs: number): void;
  /** The room has closed: the last call. */
  roomClosed(): void;
}

/** Listens to one party alone, whoever else may hear it. */
export interface VoiceTap {
  readonly trackSid: TrackSid;
  /** 160 samples, valid during the call only; null: nothing is heard. Never throws. */
  frame(pcm: Int16Array | null, nowMs: number): void;
  /** The room has closed: the last call. */
  roomClosed(): void;
}

interface InputSlot {
  readonly input: MixInput;
  readonly party: MixParty;
}

interface OutputSlot {
  readonly output: MixOutput;
  readonly party: MixParty;
}

/** The shared encode of one codec, made at most once per tick. */
class SharedEncode {
  readonly law: G711;
  readonly codes = new Uint8Array(FRAME_SAMPLES);
  readonly scratch = new Uint8Array(FRAME_SAMPLES);
  ready = false;

  constructor(codec: LawCodec) {
    this.law = g711(codec);
  }
}

/**
 * One room's mix, driven once per 20 ms. Each talker is decoded once for the room; each phone that talks gets the sum
 * without itself; all who are silent share one sum and one encode per codec. Who hears chosen ones only, or is spoken to by
 * one who is not heard by all, gets a sum of its own. While a wide-band phone listens there is a second mix at 16 kHz.
 */
export class RoomMixer {
  readonly #inputs: InputSlot[] = [];
  readonly #outputs: OutputSlot[] = [];
  readonly #prompts: MixInput[] = [];
  readonly #taps: MixTap[] = [];
  readonly #voiceTaps: VoiceTap[] = [];
  /** Of this step: who is heard by all, and who by some. */
  readonly #talking: InputSlot[] = [];
  readonly #whispering: InputSlot[] = [];
  readonly #sum = new Int32Array(FRAME_SAMPLES);
  readonly #prompted = new Int32Array(FRAME_SAMPLES);
  readonly #own = new Int32Array(FRAME_SAMPLES);
  readonly #recorded = new Int16Array(FRAME_SAMPLES);
  readonly #shared = { PCMU: new SharedEncode('PCMU'), PCMA: new SharedEncode('PCMA') };

  #wide: WideMix | null = null;

  addInput(input: MixInput, party: MixParty): void {
    this.removeInput(input);
    this.#inputs.push({ input, party });
  }

  removeInput(input: MixInput): void {
    removeWhere(this.#inputs, (slot) => slot.input === input);
  }

  addOutput(output: MixOutput, party: MixParty): void {
    this.removeOutput(output);
    this.#outputs.push({ output, party });
  }

  removeOutput(output: MixOutput): void {
    removeWhere(this.#outputs, (slot) => slot.output === output);
  }

  /** Heard by all outputs that are not held, whomever else they hear. */
  addPrompt(prompt: MixInput): void {
    this.#prompts.push(prompt);
  }

  removePrompt(prompt: MixInput): void {
    removeWhere(this.#prompts, (each) => each === prompt);
  }

  addTap(tap: MixTap): void {
    this.#taps.push(tap);
  }

  removeTap(tap: MixTap): void {
    removeWhere(this.#taps, (each) => each === tap);
  }

  addVoiceTap(tap: VoiceTap): void {
    this.#voiceTaps.push(tap);
  }

  removeVoiceTap(tap: VoiceTap): void {
    removeWhere(this.#voiceTaps, (each) => each === tap);
  }

  roomClosed(): void {
    for (const tap of this.#taps.splice(0)) tap.roomClosed();
    for (const tap of this.#voiceTaps.splice(0)) tap.roomClosed();
    this.#wide?.close();
    this.#wide = null;
  }

  /** Something goes on here that needs steps even without an output. */
  get busy(): boolean {
    return this.#prompts.length > 0 || this.tapped;
  }

  get tapped(): boolean {
    return this.#taps.length > 0 || this.#voiceTaps.length > 0;
  }

  tick(nowMs: number): void {
    this.#collect(nowMs);
    if (this.#taps.length > 0) this.#record(nowMs);
    const wide = this.#wideNow();
    if (wide) this.#beginWide(wide);
    if (this.#prompts.length > 0) this.#addPrompts(wide, nowMs);
    wide?.ready(nowMs);
    this.#shared.PCMU.ready = false;
    this.#shared.PCMA.ready = false;
    for (let i = 0; i < this.#outputs.length; i++) {
      const slot = this.#outputs[i] as OutputSlot;
      const wantsMix = slot.output.wantsMix && !slot.party.held;
      slot.output.tick(wantsMix ? this.#mixFor(slot, wide, nowMs) : null, nowMs);
    }
  }

  /** A wide-band phone listens. */
  get wideWanted(): boolean {
    for (let i = 0; i < this.#outputs.length; i++) if ((this.#outputs[i] as OutputSlot).output.stream !== null) return true;
    return false;
  }

  #wideNow(): WideMix | null {
    if (this.wideWanted) return (this.#wide ??= new WideMix());
    this.#wide?.close();
    this.#wide = null;
    return null;
  }

  #beginWide(wide: WideMix): void {
    wide.begin();
    for (let i = 0; i < this.#talking.length; i++) wide.addTalker((this.#talking[i] as InputSlot).input);
  }

  #collect(nowMs: number): void {
    this.#sum.fill(0);
    this.#talking.length = 0;
    this.#whispering.length = 0;
    for (let i = 0; i < this.#inputs.length; i++) {
      const slot = this.#inputs[i] as InputSlot;
      const heard = slot.input.pull(nowMs) && !slot.party.silenced;
      if (this.#voiceTaps.length > 0) this.#tapVoice(slot, { heard, nowMs });
      if (!heard) continue;
      if (!slot.party.isPublic) {
        this.#whispering.push(slot);
        continue;
      }
      this.#talking.push(slot);
      add(this.#sum, slot.input.pcm);
    }
  }

  #tapVoice({ input, party }: InputSlot, { heard, nowMs }: { heard: boolean; nowMs: number }): void {
    for (let i = 0; i < this.#voiceTaps.length; i++) {
      const tap = this.#voiceTaps[i] as VoiceTap;
      if (tap.trackSid === party.trackSid) tap.frame(heard ? input.pcm : null, nowMs);
    }
  }

  #record(nowMs: number): void {
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#recorded[i] = saturate(this.#sum[i] as number);
    for (let i = this.#taps.length - 1; i >= 0; i--) (this.#taps[i] as MixTap).frame(this.#recorded, nowMs);
  }

  #addPrompts(wide: WideMix | null, nowMs: number): void {
    this.#prompted.fill(0);
    for (let i = this.#prompts.length - 1; i >= 0; i--) {
      const prompt = this.#prompts[i] as MixInput;
      if (!prompt.pull(nowMs)) continue;
      add(this.#prompted, prompt.pcm);
      add(this.#sum, prompt.pcm);
      wide?.addPrompt(prompt);
    }
  }

  #mixFor(slot: OutputSlot, wide: WideMix | null, nowMs: number): Uint8Array | null {
    const { stream } = slot.output;
    if (stream !== null && wide !== null) return this.#wideMixFor(slot, { stream, wide }, nowMs);
    const shared = slot.output.codec === 'PCMA' ? this.#shared.PCMA : this.#shared.PCMU;
    if (slot.party.isChoosy || this.#isWhisperedTo(slot.party)) return this.#ownMix(slot, shared);
    const own = slot.output.ownVoice;
    if (own !== null && this.#isTalking(own)) {
      encodeWithout(this.#sum, own.pcm, shared);
      return shared.scratch;
    }
    if (!shared.ready) {
      encode(this.#sum, shared.law, shared.codes);
      shared.ready = true;
    }
    return shared.codes;
  }

  #wideMixFor(slot: OutputSlot, { stream, wide }: { stream: WideStream; wide: WideMix }, nowMs: number): Uint8Array | null {
    if (slot.party.isChoosy || this.#isWhisperedTo(slot.party)) {
      wide.beginOwn();
      this.#addHeardWide(wide, this.#talking, slot);
      this.#addHeardWide(wide, this.#whispering, slot);
      return stream.own(wide.own(), nowMs);
    }
    const own = slot.output.ownVoice;
    if (own !== null && this.#isTalking(own)) return stream.own(wide.without(own), nowMs);
    return stream.common(wide.shared(stream.codec, nowMs), nowMs);
  }

  #addHeardWide(wide: WideMix, talkers: InputSlot[], slot: OutputSlot): void {
    for (let i = 0; i < talkers.length; i++) if (isHeard(talkers[i] as InputSlot, slot)) wide.addOwn((talkers[i] as InputSlot).input);
  }

  #isTalking(input: MixInput): boolean {
    for (let i = 0; i < this.#talking.length; i++) if ((this.#talking[i] as InputSlot).input === input) return true;
    return false;
  }

  #isWhisperedTo(listener: MixParty): boolean {
    for (let i = 0; i < this.#whispering.length; i++) if ((this.#whispering[i] as InputSlot).party.speaksTo(listener)) return true;
    return false;
  }

  /** Summed up for this listener alone. */
  #ownMix(slot: OutputSlot, shared: SharedEncode): Uint8Array {
    if (this.#prompts.length > 0) this.#own.set(this.#prompted);
    else this.#own.fill(0);
    this.#addHeard(this.#talking, slot);
    this.#addHeard(this.#whispering, slot);
    encode(this.#own, shared.law, shared.scratch);
    return shared.scratch;
  }

  #addHeard(talkers: InputSlot[], slot: OutputSlot): void {
    for (let i = 0; i < talkers.length; i++) if (isHeard(talkers[i] as InputSlot, slot)) add(this.#own, (talkers[i] as InputSlot).input.pcm);
  }
}

function isHeard(talker: InputSlot, { output, party }: OutputSlot): boolean {
  return talker.input !== output.ownVoice && party.hears(talker.party) && talker.party.speaksTo(party);
}

function removeWhere<T>(list: T[], matches: (each: T) => boolean): void {
  const index = list.findIndex(matches);
  if (index >= 0) list.splice(index, 1);
}

function add(sum: Int32Array, pcm: Int16Array): void {
  for (let i = 0; i < FRAME_SAMPLES; i++) sum[i] = (sum[i] as number) + (pcm[i] as number);
}

function saturate(sample: number): number {
  return sample > 32767 ? 32767 : sample < -32768 ? -32768 : sample;
}

function encode(sum: Int32Array, { toCode }: G711, codes: Uint8Array): void {
  for (let i = 0; i < FRAME_SAMPLES; i++) codes[i] = toCode[saturate(sum[i] as number) & 0xffff] as number;
}

function encodeWithout(sum: Int32Array, own: Int16Array, shared: SharedEncode): void {
  const { toCode } = shared.law;
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    shared.scratch[i] = toCode[saturate((sum[i] as number) - (own[i] as number)) & 0xffff] as number;
  }
}
