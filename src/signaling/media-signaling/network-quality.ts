import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { BrowserMedia, BrowserQuality } from '../../media/protocol.ts';
import type { Participant } from '../../rooms/contract.ts';
import { MessageChannel, type MediaChannel } from './message-channel.ts';
import type { QualityBoard } from './quality-board.ts';
import { scoreBrowser, type BrowserReport, type FlowScore, type ParticipantQuality } from './quality-score.ts';

/** Numbers of `getStats()`: absent and odd ones are not known. Rates in bit/s, times in seconds. */
const amount = z.number().min(0).max(1e12).optional().catch(undefined);
const sent = z.object({ bitrate: amount }).optional().catch(undefined);
const received = z.object({ bitrate: amount, jitter: amount, fractionLost: amount }).optional().catch(undefined);
const media = z.object({ send: sent, recv: received }).optional().catch(undefined);
const shape = z.object({
  type: z.literal('network_quality'),
  ice: z.object({ availableSend: amount, rtt: amount }).optional().catch(undefined),
  audio: media,
  video: media,
  /** 1 level, 2 and of each kind and direction, 3 and the figures. */
  reportLevel: z.union([z.literal(1), z.literal(2), z.literal(3)]).catch(1),
  /** The same for the others; 0 none. */
  remoteReportLevel: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]).catch(0),
});
type Report = z.infer<typeof shape>;

/**
 * The SDK keeps the first figures until a level changes, and its first report comes before anything could be measured; so the
 * first answer takes its time. It would report again after 5 s without one.
 */
const FIRST_ANSWER_MS = 1500;

/** How much is told of a participant. */
type Verbosity = 1 | 2 | 3;

/** Rates the network of one browser, and of the others in its room, phones too; each of its reports is answered (rsp §5). */
export class NetworkQualityChannel implements MediaChannel {
  readonly #options: { participant: Participant; media: BrowserMedia; board: QualityBoard; clock: Clock; log: Log };
  readonly #channel: MessageChannel<Report>;
  #first: Timer | null = null;

  constructor(options: { participant: Participant; media: BrowserMedia; board: QualityBoard; clock: Clock; log: Log }) {
    this.#options = options;
    this.#channel = new MessageChannel({ ...options, takes: { shape, received: (report) => this.#received(report) } });
  }

  get label(): string {
    return this.#channel.label;
  }

  #received(report: Report): void {
    if (this.#first) void this.#answer(report);
    else this.#first = this.#options.clock.after(FIRST_ANSWER_MS, () => void this.#answer(report));
  }

  async #answer(report: Report): Promise<void> {
    const { participant, board } = this.#options;
    const quality = scoreBrowser(await this.#measured(), readReport(report));
    board.reported(participant.sid, quality);
    const { reportLevel, remoteReportLevel } = report;
    const remotes = remoteReportLevel === 0 ? null : await board.remotes(participant.room, participant.sid);
    this.#channel.send({
      type: 'network_quality',
      local: reportLevel === 1 ? quality.level : told(quality, reportLevel),
      ...(remotes && remoteReportLevel !== 0 ? { remotes: remotes.map((remote) => ({ sid: remote.sid, ...told(remote.quality, remoteReportLevel) })) } : {}),
    });
  }

  /** A report is answered also when our side cannot be measured. */
  async #measured(): Promise<BrowserQuality | null> {
    return this.#options.media.quality().catch(() => null);
  }

  close(): void {
    this.#first?.cancel();
    this.#channel.close();
  }
}

function readReport({ ice, audio, video }: Report): BrowserReport {
  const recv = (of: Report['audio']): BrowserReport['recv']['audio'] => ({ bitrateBps: of?.recv?.bitrate ?? null, jitterMs: inMs(of?.recv?.jitter), fractionLost: of?.recv?.fractionLost ?? null });
  return {
    availableSendBps: ice?.availableSend ?? null,
    rttMs: inMs(ice?.rtt),
    send: { audio: { bitrateBps: audio?.send?.bitrate ?? null }, video: { bitrateBps: video?.send?.bitrate ?? null } },
    recv: { audio: recv(audio), video: recv(video) },
  };
}

function inMs(seconds: number | undefined): number | null {
  return seconds === undefined ? null : seconds * 1000;
}

function told({ level, audio, video }: ParticipantQuality, verbosity: Verbosity): object {
  if (verbosity === 1) return { level };
  return { level, ...(audio ? { audio: toldKind(audio, verbosity) } : {}), ...(video ? { video: toldKind(video, verbosity) } : {}) };
}

function toldKind({ send, recv }: { send: FlowScore; recv: FlowScore }, verbosity: Verbosity): object {
  const levels = { send: send.level, recv: recv.level };
  return verbosity === 3 ? { ...levels, sendStats: figures(send), recvStats: figures(recv) } : levels;
}

function figures({ flow, levels }: FlowScore): object {
  const { actualBps, availableBps, rttMs, jitterMs, fractionLost } = flow;
  return {
    bandwidth: { actual: actualBps, available: availableBps, level: levels.bandwidth },
    latency: { jitter: inSeconds(jitterMs), rtt: inSeconds(rttMs), level: levels.latency },
    fractionLost: { fractionLost, level: levels.fractionLost },
  };
}

function inSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
