import { writeFileSync } from 'node:fs';
import { ComposeError, type ComposeOptions, type Composer } from '../recording/composition/composer.ts';
import type { CompositionPlan } from '../recording/composition/plan.ts';

/** One composition under way, which ends as a test says. */
export interface FakeWork extends ComposeOptions {
  plan: CompositionPlan;
  /** Writes `bytes` of nothing into the file. */
  finish(bytes?: number): void;
  fail(message: string): void;
}

/** Composes nothing: what it is asked for waits in `works`. */
export class FakeComposer implements Composer {
  readonly works: FakeWork[] = [];
  missing: string | null = null;

  problem = (): Promise<string | null> => Promise.resolve(this.missing);

  compose(plan: CompositionPlan, options: ComposeOptions): Promise<{ durationMs: number; bytes: number }> {
    return new Promise((resolve, reject) => {
      const finish = (bytes = 1000): void => {
        writeFileSync(options.outputPath, Buffer.alloc(bytes));
        resolve({ durationMs: plan.durationMs, bytes });
      };
      options.signal.addEventListener('abort', () => reject(options.signal.reason as Error), { once: true });
      this.works.push({ ...options, plan, finish, fail: (message) => reject(new ComposeError(message)) });
    });
  }
}
