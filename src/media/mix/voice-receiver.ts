import type { RtpView } from '../rtp/packet.ts';

/** The receiving half of one phone's codec: packets in, 20 ms of sound out. */
export interface VoiceReceiver {
  /** 160 samples at 8 kHz; valid after `pull` returned true. */
  readonly pcm: Int16Array;
  readonly levelDbov: number;
  /** Packets that came too late, twice or too far ahead. */
  readonly discarded: number;
  /** What is buffered ahead of play-out. */
  readonly delayMs: number;
  /** 320 samples at 16 kHz of the same frame. */
  wide(): Int16Array;
  packetReceived(view: RtpView, nowMs: number): void;
  /** Comfort noise came (RFC 3389), or Opus without sound: the phone is silent until its next voice packet, and nothing is lost. */
  silenceReceived(view: RtpView): void;
  /** Moves on by 20 ms; false when there is nothing to be heard. */
  pull(nowMs: number): boolean;
  /** Another SSRC or room: what is buffered is void. */
  reset(): void;
  close(): void;
}
