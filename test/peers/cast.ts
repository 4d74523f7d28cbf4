import { afterAll, afterEach } from 'vitest';

/**
 * The peers of a test file: whoever joins the cast is stopped after the last test, in reverse order, and its log is
 * printed when a test fails.
 */

export interface CastMember {
  log(): string;
  stop(): Promise<unknown>;
  name?: string;
}

const TAIL = 5000;

export class Cast {
  readonly #members: { name: string; member: CastMember }[] = [];

  constructor() {
    afterEach((context) => {
      if (context.task.result?.state === 'fail') this.#print(context.task.name);
    });
    afterAll(async () => {
      for (const { member } of this.#members.reverse()) await member.stop().catch(() => undefined);
    });
  }

  /** Adds a peer and returns it. */
  async add<T extends CastMember>(name: string, starting: T | Promise<T>): Promise<T> {
    const member = await starting;
    this.#members.push({ name, member });
    return member;
  }

  #print(test: string): void {
    console.error(`===== peers of the failed test: ${test}`);
    for (const { name, member } of this.#members) console.error(`----- ${name}\n${member.log().slice(-TAIL)}`);
  }
}
