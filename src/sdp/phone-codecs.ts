import type { PhoneCodecLine, PhoneLine } from './phone-description.ts';

/** What phones and we may speak. OPUS is `opus/48000/2` in SDP. */
export type PhoneCodecName = 'OPUS' | 'G722' | 'PCMU' | 'PCMA';

/** All of them, most wanted first. */
export const PHONE_CODECS: readonly PhoneCodecName[] = ['OPUS', 'G722', 'PCMU', 'PCMA'];

/** Reads `opus,G722`, each once, in any case; null for any other text. */
export function readPhoneCodecs(text: string): readonly PhoneCodecName[] | null {
  const names = text.split(',').map((name) => PHONE_CODECS.find((known) => known === name.trim().toUpperCase()));
  const known = names.filter((name) => name !== undefined);
  return known.length === names.length && new Set(known).size === known.length ? known : null;
}

/** What a phone wishes for the Opus that we send (RFC 7587 §6.1). */
export interface OpusWishes {
  /** It can use in-band FEC. Default false. */
  fec: boolean;
  /** Highest sampling rate that it can play. Default 48000. */
  maxPlaybackRateHz: number;
  /** Average bit rate that it bears; null: any. */
  maxBitrateBps: number | null;
}

/** One line's codec and what goes with it, numbered as the other side does. */
export interface ChosenCodec {
  codec: PhoneCodecName;
  payloadType: number;
  /** telephone-event (RFC 4733), of the codec's own clock rate where there is one; null when not negotiated. */
  dtmfPayloadType: number | null;
  /** Absent: 8000. */
  dtmfClockRateHz?: 48_000;
  /** CN (RFC 3389), for codecs that count 8 kHz. */
  comfortNoisePayloadType?: number;
  opus?: OpusWishes;
}

/** Payload types in use, which a later offer must not give another meaning (RFC 3264 §8.3.2). */
export type PhoneNumbering = Pick<ChosenCodec, 'codec' | 'payloadType' | 'dtmfPayloadType' | 'dtmfClockRateHz'>;

interface Format {
  /** As rtpmap has it: name, clock rate, channels. */
  map: string;
  clockRateHz: 8000 | 48_000;
  /** RFC 3551 §6; null: dynamic. */
  payloadType: number | null;
}

/** G.722 samples 16 kHz and yet counts 8 kHz (RFC 3551 §4.5.2). */
const FORMATS: Record<PhoneCodecName, Format> = {
  OPUS: { map: 'opus/48000/2', clockRateHz: 48_000, payloadType: null },
  G722: { map: 'G722/8000', clockRateHz: 8000, payloadType: 9 },
  PCMU: { map: 'PCMU/8000', clockRateHz: 8000, payloadType: 0 },
  PCMA: { map: 'PCMA/8000', clockRateHz: 8000, payloadType: 8 },
};

/** We send what a room at 16 kHz has; what we receive may be anything, browsers get it as it is. */
const OUR_OPUS = 'useinbandfec=1;stereo=0;sprop-maxcapturerate=16000';
const EVENTS = '0-15';
const FIRST_DYNAMIC = 96;
const WANTED_OPUS = 107;
const WANTED_EVENT = 101;
const WANTED_WIDE_EVENT = 100;
const OPUS_FRAME_MS = 20;
const MAX_RATE_HZ = 48_000;
const LEAST_BITRATE_BPS = 6000;

/** The other side's first codec that is allowed, null when there is none. */
export function chooseCodec(line: PhoneLine, allowed: readonly PhoneCodecName[]): ChosenCodec | null {
  for (const offered of line.codecs) {
    const codec = nameOf(offered, line);
    if (codec && allowed.includes(codec)) return described(codec, offered, line);
  }
  return null;
}

function nameOf({ name, clockRateHz }: PhoneCodecLine, { maxptimeMs }: PhoneLine): PhoneCodecName | null {
  const codec = PHONE_CODECS.find((known) => known === name);
  if (!codec || FORMATS[codec].clockRateHz !== clockRateHz) return null;
  // Our Opus comes in frames of 20 ms, which cannot be cut.
  return codec === 'OPUS' && maxptimeMs !== null && maxptimeMs < OPUS_FRAME_MS ? null : codec;
}

function described(codec: PhoneCodecName, { payloadType, parameters }: PhoneCodecLine, line: PhoneLine): ChosenCodec {
  const { clockRateHz } = FORMATS[codec];
  const events = line.codecs.filter((known) => known.name === 'TELEPHONE-EVENT' && (known.clockRateHz === 8000 || known.clockRateHz === clockRateHz));
  // RFC 4733 §2.1: the clock of the codec it stands in for. Many phones name 8000 alone, whatever the codec.
  const event = events.find((known) => known.clockRateHz === clockRateHz) ?? events[0];
  const noise = clockRateHz === 8000 ? line.codecs.find((known) => known.name === 'CN' && known.clockRateHz === 8000) : undefined;
  return {
    codec,
    payloadType,
    dtmfPayloadType: event?.payloadType ?? null,
    ...(event?.clockRateHz === 48_000 ? { dtmfClockRateHz: 48_000 } : {}),
    ...(noise ? { comfortNoisePayloadType: noise.payloadType } : {}),
    ...(codec === 'OPUS' ? { opus: opusWishes(parameters) } : {}),
  };
}

function opusWishes(parameters: string): OpusWishes {
  const numberOf = (name: string): number | null => {
    const text = new RegExp(`(?:^|[;\\s])${name}=(\\d{1,7})(?:$|[;\\s])`, 'i').exec(parameters)?.[1];
    return text === undefined ? null : Number(text);
  };
  const rate = numberOf('maxplaybackrate');
  const bitrate = numberOf('maxaveragebitrate');
  return {
    fec: numberOf('useinbandfec') === 1,
    maxPlaybackRateHz: rate === null || rate < 8000 ? MAX_RATE_HZ : Math.min(rate, MAX_RATE_HZ),
    maxBitrateBps: bitrate === null ? null : Math.max(bitrate, LEAST_BITRATE_BPS),
  };
}

/** Formats of an m= line and the attribute lines that explain them. */
export interface CodecLines {
  payloadTypes: number[];
  attributes: string[];
}

/** An answer: the one codec that was chosen, with its keys and its comfort noise. */
export function answeredCodec(chosen: ChosenCodec): CodecLines {
  const lines = new LineWriter();
  lines.codec(chosen.codec, chosen.payloadType);
  if (chosen.comfortNoisePayloadType !== undefined) lines.add(chosen.comfortNoisePayloadType, 'CN/8000');
  if (chosen.dtmfPayloadType !== null) lines.events(chosen.dtmfPayloadType, chosen.dtmfClockRateHz ?? 8000);
  return lines;
}

/** An offer of all `codecs`. What `inUse` numbers keeps its numbers. */
export function offeredCodecs(codecs: readonly PhoneCodecName[], inUse: PhoneNumbering | null): CodecLines {
  const lines = new LineWriter();
  const numbers = new Numbers(inUse);
  for (const codec of codecs) lines.codec(codec, numbers.ofCodec(codec));
  if (codecs.some((codec) => FORMATS[codec].clockRateHz === 8000)) lines.events(numbers.ofEvents(8000), 8000);
  if (codecs.includes('OPUS')) lines.events(numbers.ofEvents(48_000), 48_000);
  return lines;
}

class LineWriter implements CodecLines {
  readonly payloadTypes: number[] = [];
  readonly attributes: string[] = [];

  add(payloadType: number, map: string, parameters?: string): void {
    this.payloadTypes.push(payloadType);
    this.attributes.push(`a=rtpmap:${payloadType} ${map}`);
    if (parameters !== undefined) this.attributes.push(`a=fmtp:${payloadType} ${parameters}`);
  }

  codec(codec: PhoneCodecName, payloadType: number): void {
    this.add(payloadType, FORMATS[codec].map, codec === 'OPUS' ? OUR_OPUS : undefined);
  }

  events(payloadType: number, clockRateHz: number): void {
    this.add(payloadType, `telephone-event/${clockRateHz}`, EVENTS);
  }
}

/** Gives out payload types, each once. */
class Numbers {
  readonly #inUse: PhoneNumbering | null;
  readonly #taken = new Set<number>();

  constructor(inUse: PhoneNumbering | null) {
    this.#inUse = inUse;
    if (inUse) this.#taken.add(inUse.payloadType);
    if (typeof inUse?.dtmfPayloadType === 'number') this.#taken.add(inUse.dtmfPayloadType);
  }

  ofCodec(codec: PhoneCodecName): number {
    if (this.#inUse?.codec === codec) return this.#inUse.payloadType;
    return this.#free(FORMATS[codec].payloadType ?? WANTED_OPUS);
  }

  ofEvents(clockRateHz: number): number {
    const inUse = this.#inUse;
    if (typeof inUse?.dtmfPayloadType === 'number' && (inUse.dtmfClockRateHz ?? 8000) === clockRateHz) return inUse.dtmfPayloadType;
    return this.#free(clockRateHz === 8000 ? WANTED_EVENT : WANTED_WIDE_EVENT);
  }

  #free(wanted: number): number {
    let number = wanted;
    for (let next = FIRST_DYNAMIC; this.#taken.has(number) && next < 128; next++) number = next;
    this.#taken.add(number);
    return number;
  }
}
