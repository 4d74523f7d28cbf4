/** What was looked at on the way to a decision, in order; `partyline explain` prints it. */
export interface Step {
  rule: string;
  /** `yes`: it took the call, or let it pass. `no`: it did not apply. `refused`: it ended the call. `note`: said by the way. */
  verdict: 'yes' | 'no' | 'refused' | 'note';
  text: string;
}

export class Trace {
  readonly steps: Step[] = [];

  yes(rule: string, text: string): void {
    this.steps.push({ rule, verdict: 'yes', text });
  }
  no(rule: string, text: string): void {
    this.steps.push({ rule, verdict: 'no', text });
  }
  note(rule: string, text: string): void {
    this.steps.push({ rule, verdict: 'note', text });
  }
  refused(rule: string, text: string): void {
    this.steps.push({ rule, verdict: 'refused', text });
  }
}
