import type { MachineDetection } from './machine-detection.ts';

/** Who took a call, in the words of `AnsweredBy`. */
export type AnsweredBy = 'human' | 'machine_start' | 'machine_end_beep' | 'machine_end_silence' | 'machine_end_other' | 'fax' | 'unknown';

type Settings = Pick<MachineDetection, 'mode' | 'timeoutMs' | 'speechThresholdMs' | 'speechEndThresholdMs' | 'silenceTimeoutMs'>;

/** The voice detector says `ceased` that long after the last sound. */
const HANGOVER_MS = 100;
/** A tone that long, before anything else is heard, is a fax's answer (ITU-T T.30: 2.6–4 s). */
const FAX_TONE_MS = 2000;

/**
 * Person or machine, by how long whoever answered speaks before falling silent (contract §5.1): a person says a word or two and
 * waits, a machine recites. A stretch of speech begins with the first sound and ends with `speechEndThresholdMs` of silence;
 * shorter pauses belong to it.
 *
 *     listening ──silence──▶ unknown
 *         │ voice
 *     speech ──ends within the threshold──▶ human
 *         │ longer                 `enable`: machine_start at once
 *     greeting ──beep──▶ machine_end_beep · ──silence──▶ machine_end_silence · ──time is up──▶ machine_end_other
 *
 * Pure: time is an argument. Each input returns the verdict once it is clear, and nothing is to be put in after it.
 */
export class AnsweringMachineDetector {
  readonly #settings: Settings;
  readonly #beganMs: number;
  #speaking = false;
  /** Null until somebody speaks. */
  #speechBeganMs: number | null = null;
  #lastVoiceMs = 0;
  /** Whoever speaks has paused before. */
  #paused = false;
  #machine = false;

  constructor(settings: Settings, nowMs: number) {
    this.#settings = settings;
    this.#beganMs = nowMs;
  }

  voice(speaking: boolean, nowMs: number): AnsweredBy | null {
    const verdict = this.due(nowMs);
    if (verdict) return verdict;
    if (speaking) this.#speechBeganMs ??= nowMs;
    else if (this.#speaking) {
      this.#paused = true;
      this.#lastVoiceMs = Math.max(this.#speechBeganMs ?? nowMs, nowMs - HANGOVER_MS);
    }
    this.#speaking = speaking;
    return this.due(nowMs);
  }

  /** A tone ended. Machines beep, people do not; a fax begins with one. */
  beep(nowMs: number): AnsweredBy {
    const onlyTone = this.#speechBeganMs !== null && !this.#paused && nowMs - this.#speechBeganMs >= FAX_TONE_MS;
    if (onlyTone) return 'fax';
    return this.#settings.mode === 'enable' ? 'machine_start' : 'machine_end_beep';
  }

  /** When `due` is to be asked next unless something is heard before. */
  get nextDueMs(): number {
    const { timeoutMs, silenceTimeoutMs, speechThresholdMs, speechEndThresholdMs } = this.#settings;
    const endMs = this.#beganMs + timeoutMs;
    if (this.#speechBeganMs === null) return Math.min(endMs, this.#beganMs + silenceTimeoutMs);
    if (!this.#speaking) return Math.min(endMs, this.#lastVoiceMs + speechEndThresholdMs);
    return this.#machine ? endMs : Math.min(endMs, this.#speechBeganMs + speechThresholdMs);
  }

  due(nowMs: number): AnsweredBy | null {
    const { mode, timeoutMs, silenceTimeoutMs, speechThresholdMs, speechEndThresholdMs } = this.#settings;
    if (this.#speechBeganMs !== null) {
      const spokeMs = (this.#speaking ? nowMs : this.#lastVoiceMs) - this.#speechBeganMs;
      this.#machine ||= spokeMs >= speechThresholdMs;
      if (this.#machine && mode === 'enable') return 'machine_start';
      if (!this.#speaking && nowMs - this.#lastVoiceMs >= speechEndThresholdMs) return this.#machine ? 'machine_end_silence' : 'human';
    } else if (nowMs - this.#beganMs >= silenceTimeoutMs) return 'unknown';
    if (nowMs - this.#beganMs < timeoutMs) return null;
    return this.#machine ? 'machine_end_other' : 'unknown';
  }
}
