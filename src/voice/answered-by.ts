import type { Clock, Timer } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { PhoneMedia } from '../media/protocol.ts';
import { AnsweringMachineDetector, type AnsweredBy } from './answering-machine.ts';
import type { MachineDetection } from './machine-detection.ts';
import { watchVoice } from './voice-watch.ts';

export interface Detected {
  answeredBy: AnsweredBy;
  /** From the answer to the verdict. */
  durationMs: number;
}

export interface DetectionDeps {
  clock: Clock;
  log: Log;
  /** Aborts when the call ends. */
  signal: AbortSignal;
}

/** Listens to a phone that has just answered. Null when the call ended before it was clear; without ears `unknown`. Never rejects. */
export async function detectAnsweredBy(phone: PhoneMedia, detection: MachineDetection, { clock, log, signal }: DetectionDeps): Promise<Detected | null> {
  const beganMs = clock.nowMs();
  if (signal.aborted) return null;
  let letGo: (() => void) | null = null;
  try {
    const verdict = listen(phone, detection, { clock, signal });
    letGo = await watchVoice(phone);
    const answeredBy = await verdict;
    return answeredBy && { answeredBy, durationMs: Math.round(clock.nowMs() - beganMs) };
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'nobody listens whether a machine answered');
    return signal.aborted ? null : { answeredBy: 'unknown', durationMs: Math.round(clock.nowMs() - beganMs) };
  } finally {
    letGo?.();
  }
}

function listen(phone: PhoneMedia, detection: MachineDetection, { clock, signal }: Pick<DetectionDeps, 'clock' | 'signal'>): Promise<AnsweredBy | null> {
  const detector = new AnsweringMachineDetector(detection, clock.nowMs());
  return new Promise((resolve) => {
    let timer: Timer | null = null;
    const settle = (verdict: AnsweredBy | null): void => {
      timer?.cancel();
      for (const forget of forgets) forget();
      signal.removeEventListener('abort', leave);
      resolve(verdict);
    };
    const heard = (verdict: AnsweredBy | null): void => {
      if (verdict) return settle(verdict);
      timer?.cancel();
      timer = clock.after(detector.nextDueMs - clock.nowMs(), () => heard(detector.due(clock.nowMs())));
    };
    const leave = (): void => settle(null);
    const forgets = [phone.on('voiceChanged', (speaking) => heard(detector.voice(speaking, clock.nowMs()))), phone.on('beepHeard', () => heard(detector.beep(clock.nowMs())))];
    signal.addEventListener('abort', leave, { once: true });
    heard(null);
  });
}
