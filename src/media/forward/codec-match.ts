import type { RtpCodec } from '../protocol.ts';

/**
 * The receiver's codec for a packet of `name`, as `source` describes it further; null when the receiver cannot play it.
 * H.264 must agree in packetization mode and profile (RFC 6184 §8.2.2), VP9 in its profile (RFC 9628 §7).
 */
export function matchCodec(receiver: readonly RtpCodec[], name: string, source: RtpCodec | null): RtpCodec | null {
  const sameName = receiver.filter((codec) => codec.name === name);
  if (!source || sameName.length === 0) return sameName[0] ?? null;
  if (name === 'h264') return sameName.find((codec) => h264Key(codec) === h264Key(source)) ?? null;
  if (name === 'vp9') return sameName.find((codec) => parameter(codec, 'profile-id', '0') === parameter(source, 'profile-id', '0')) ?? null;
  return sameName[0] ?? null;
}

function h264Key(codec: RtpCodec): string {
  const profile = parameter(codec, 'profile-level-id', '42e01f').slice(0, 4).toLowerCase();
  // 42c0 and 42e0 both say constrained baseline (RFC 6184 §8.1, table 5).
  return `${parameter(codec, 'packetization-mode', '0')}/${profile === '42c0' ? '42e0' : profile}`;
}

function parameter(codec: RtpCodec, name: string, fallback: string): string {
  for (const part of (codec.parameters ?? '').split(';')) {
    const [key, value] = part.trim().split('=');
    if (key === name && value !== undefined) return value;
  }
  return fallback;
}
