import type { PhoneCodecName } from '../../sdp/phone-codecs.ts';

/**
 * How a voice sounds, from what was lost and how late it was: the E-model, of ITU-T G.107 (06/2015) for codecs of narrow band and of
 * ITU-T G.107.1 (06/2019) for those of wide band, with their defaults for all that is not measured. Pure.
 */

/** Whose scale a score stands on: MOS-CQEN and MOS-CQEW of ITU-T P.800.1. Scores of one are not comparable with those of the other; ratings are. */
export type QualityScale = 'narrow-band' | 'wide-band';

interface Impairment {
  scale: QualityScale;
  /** Ie: of the codec without any loss. */
  ie: number;
  /** Bpl: how well it stands random loss, per cent. */
  bpl: number;
}

const IMPAIRMENTS: Readonly<Record<PhoneCodecName, Impairment>> = {
  // G.113 (11/2007) Appendix I, Table I.4: G.711 with concealment, random loss.
  PCMU: { scale: 'narrow-band', ie: 0, bpl: 25.1 },
  PCMA: { scale: 'narrow-band', ie: 0, bpl: 25.1 },
  // Ie,WB: G.113 Appendix IV, Table IV.1, 64 kbit/s. No Bpl,WB of G.722 is published: ours is between the 4.3 to 4.9 of AMR-WB (Table IV.4) and G.711's.
  G722: { scale: 'wide-band', ie: 13, bpl: 13 },
  // Nothing of Opus is published by the ITU-T. Ie,WB as of AMR-WB at 23.05 kbit/s (Table IV.1), which ours at 28 kbit/s is no worse than; Bpl is our reading of published listening tests of Opus at 13 kbit/s.
  OPUS: { scale: 'wide-band', ie: 1, bpl: 19.5 },
};

/** G.107 §7.7: the basic signal-to-noise ratio Ro, and the simultaneous impairments Is, of default values. */
const RO = 94.7688;
const IS = 1.4136;
/** G.107.1 §7.1, §7.2: Ro,WB; Is,WB is 0. */
const RO_WIDE = 129;
/** G.107 §7.7: TELR and WEPL, dB. */
const TALKER_ECHO_LOUDNESS_DB = 65;
const ECHO_PATH_LOSS_DB = 110;
/** G.107 §7.4: mT, below which delay alone is not noticed. */
const NOTICED_DELAY_MS = 100;

export interface HeardAs {
  codec: PhoneCodecName;
  /** 0–1, after everything that comes too late counts as lost. */
  lossRatio: number;
  /** From mouth to ear. */
  delayMs: number;
}

export interface QualityScore {
  scale: QualityScale;
  /** R: 0 to 93.2 on the scale of narrow band, to 129 on that of wide band, which carries the former on. */
  rating: number;
  /** 1.0 (unusable) to 4.41 (narrow band) or 4.5 (wide band). */
  mos: number;
}

export function scoreOf(heard: HeardAs): QualityScore {
  const impairment = IMPAIRMENTS[heard.codec];
  const lost = lossImpairment(impairment, heard.lossRatio);
  if (impairment.scale === 'narrow-band') {
    const rating = Math.max(0, RO - IS - delayImpairment(heard.delayMs) - lost);
    return { scale: 'narrow-band', rating, mos: opinion(rating) };
  }
  const rating = Math.max(0, RO_WIDE - absoluteDelay(heard.delayMs) - lost);
  // G.107.1 Annex A.
  return { scale: 'wide-band', rating, mos: opinion(rating / 1.29) };
}

/** G.107 §7.5, G.107.1 §7.5, for random loss (BurstR 1): the 95 is the same in both. */
function lossImpairment({ ie, bpl }: Impairment, lossRatio: number): number {
  const percent = Math.min(100, Math.max(0, lossRatio * 100));
  return ie + ((95 - ie) * percent) / (percent + bpl);
}

/** G.107 Annex B. Below 6.5 the curve would go under 1. */
function opinion(rating: number): number {
  const r = Math.min(100, rating);
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/** Id of G.107 §7.4. The echo terms of G.107.1 are left out on the scale of wide band: its phones cancel theirs. */
function delayImpairment(delayMs: number): number {
  return talkerEcho(delayMs) + listenerEcho(2 * delayMs) + absoluteDelay(delayMs);
}

/** Idte. */
function talkerEcho(delayMs: number): number {
  const echo = TALKER_ECHO_LOUDNESS_DB - 40 * Math.log10((1 + delayMs / 10) / (1 + delayMs / 150)) + 6 * Math.exp(-0.3 * delayMs ** 2);
  const half = (RO - (80 + 2.5 * (echo - 14))) / 2;
  return (half + Math.sqrt(half ** 2 + 100) - 1) * (1 - Math.exp(-delayMs));
}

/** Idle, of the delay of a round trip. */
function listenerEcho(roundTripMs: number): number {
  const half = (RO - 10.5 * (ECHO_PATH_LOSS_DB + 7) * (roundTripMs + 1) ** -0.25) / 2;
  return half + Math.sqrt(half ** 2 + 169);
}

/** Idd, with a sensitivity sT of 1. */
function absoluteDelay(delayMs: number): number {
  if (delayMs <= NOTICED_DELAY_MS) return 0;
  const x = Math.log2(delayMs / NOTICED_DELAY_MS);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}
