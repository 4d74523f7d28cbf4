/** One codec as the SDP of one browser numbers it. */
export interface BrowserCodec {
  /** In lower case: opus, g722, pcmu, pcma, telephone-event, vp8, h264, vp9. */
  name: string;
  payloadType: number;
  clockRateHz: number;
  channels?: number;
  /** Payload type of the retransmissions (RFC 4588) of this one. */
  rtxPayloadType?: number;
  /** fmtp text as in the SDP. */
  parameters?: string;
}

/** rtpmap and fmtp lines of one m-section. */
export interface RtpMap {
  /** In the order of the m-line. */
  payloadTypes: number[];
  names: Map<number, { name: string; clockRateHz: number; channels?: number }>;
  parameters: Map<number, string>;
}

/** RFC 3551 §6: payload types that need no rtpmap. */
const STATIC = new Map([
  [0, { name: 'pcmu', clockRateHz: 8000 }],
  [8, { name: 'pcma', clockRateHz: 8000 }],
  [9, { name: 'g722', clockRateHz: 8000 }],
]);

/** Name/clock rate of what we speak, in the order we write it. */
const SPOKEN = {
  audio: ['opus/48000', 'pcmu/8000', 'pcma/8000', 'g722/8000', 'telephone-event/8000'],
  video: ['vp8/90000', 'h264/90000', 'vp9/90000'],
} as const;

/** The codecs of a section that we speak, in our order. H.264 only with packetization mode 1, VP9 only in profile 0. */
export function readCodecs(kind: 'audio' | 'video', map: RtpMap): BrowserCodec[] {
  const all = [...new Set(map.payloadTypes)].flatMap((payloadType) => {
    const named = map.names.get(payloadType) ?? STATIC.get(payloadType);
    return named ? [{ payloadType, ...named }] : [];
  });
  const rtx = rtxByOriginal(all, map);
  const order: readonly string[] = SPOKEN[kind];
  const rank = (codec: BrowserCodec): number => order.indexOf(`${codec.name}/${codec.clockRateHz}`);
  return all
    .map((codec) => describe(codec, map, rtx))
    .filter((codec) => rank(codec) >= 0 && usable(codec))
    .sort((a, b) => rank(a) - rank(b));
}

function describe(codec: BrowserCodec, map: RtpMap, rtx: Map<number, number>): BrowserCodec {
  const parameters = map.parameters.get(codec.payloadType);
  const rtxPayloadType = rtx.get(codec.payloadType);
  return { ...codec, ...(rtxPayloadType === undefined ? {} : { rtxPayloadType }), ...(parameters === undefined ? {} : { parameters }) };
}

function rtxByOriginal(all: BrowserCodec[], map: RtpMap): Map<number, number> {
  const found = new Map<number, number>();
  for (const { name, payloadType } of all) {
    const apt = name === 'rtx' ? /(?:^|;)\s*apt=(\d{1,3})/.exec(map.parameters.get(payloadType) ?? '')?.[1] : undefined;
    if (apt !== undefined) found.set(Number(apt), payloadType);
  }
  return found;
}

function usable({ name, parameters = '' }: BrowserCodec): boolean {
  if (name === 'h264') return /(?:^|;)\s*packetization-mode=1(?:;|$)/.test(parameters);
  if (name === 'vp9') return !/profile-id=[1-9]/.test(parameters);
  return true;
}

const DEFAULTS: Record<'audio' | 'video', BrowserCodec[]> = {
  audio: [
    { name: 'opus', payloadType: 111, clockRateHz: 48000, channels: 2, parameters: 'minptime=10;useinbandfec=1' },
    { name: 'pcmu', payloadType: 0, clockRateHz: 8000 },
    { name: 'pcma', payloadType: 8, clockRateHz: 8000 },
    { name: 'g722', payloadType: 9, clockRateHz: 8000 },
  ],
  video: [
    { name: 'vp8', payloadType: 96, clockRateHz: 90000, rtxPayloadType: 97 },
    {
      name: 'h264',
      payloadType: 102,
      clockRateHz: 90000,
      rtxPayloadType: 103,
      parameters: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
    },
  ],
};

/** Codecs for a kind that the browser's first offer did not have: the usual numbers, or free ones where those are taken. */
export function defaultCodecs(kind: 'audio' | 'video', taken: ReadonlySet<number>): BrowserCodec[] {
  const used = new Set(taken);
  const free = (wanted: number): number => {
    let number = wanted;
    if (wanted >= 96) for (let i = 0; used.has(number) && i < 32; i++) number = 96 + ((number - 95) % 32);
    used.add(number);
    return number;
  };
  return DEFAULTS[kind].map((codec) => ({
    ...codec,
    payloadType: free(codec.payloadType),
    ...(codec.rtxPayloadType === undefined ? {} : { rtxPayloadType: free(codec.rtxPayloadType) }),
  }));
}
