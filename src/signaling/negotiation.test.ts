import { describe, expect, it } from 'vitest';
import { Negotiation } from './negotiation.ts';

function connected(): Negotiation {
  const negotiation = new Negotiation();
  expect(negotiation.mayOffer).toBe(false);
  expect(negotiation.offerReceived(1)).toBe('answer');
  expect(negotiation.answered('a1')).toEqual({ type: 'answer', revision: 1, sdp: 'a1' });
  return negotiation;
}

describe('negotiation', () => {
  it('answers under the revision of the offer, offers under the next', () => {
    const negotiation = connected();
    expect(negotiation.mayOffer).toBe(true);
    expect(negotiation.offered('o2')).toEqual({ type: 'offer', revision: 2, sdp: 'o2' });
    expect(negotiation.mayOffer).toBe(false);
    expect(negotiation.answerReceived(1)).toBe(false);
    expect(negotiation.answerReceived(2)).toBe(true);
    expect(negotiation.offerReceived(3)).toBe('answer');
  });

  it('wins when both offer at once; the browser comes again', () => {
    const negotiation = connected();
    negotiation.offered('o2');
    expect(negotiation.offerReceived(2)).toBe('ignore');
    expect(negotiation.answerReceived(2)).toBe(true);
    expect(negotiation.offerReceived(3)).toBe('answer');
    expect(negotiation.answered('a3').revision).toBe(3);
  });

  it('repeats an answer that was lost, ignores what is old', () => {
    const negotiation = connected();
    expect(negotiation.offerReceived(1)).toBe('repeat');
    expect(negotiation.lastAnswer?.sdp).toBe('a1');
    negotiation.offered('o2');
    negotiation.answerReceived(2);
    expect(negotiation.offerReceived(1)).toBe('ignore');
    expect(negotiation.offerReceived(2)).toBe('ignore');
  });

  it('lets go of its offer for a later one', () => {
    const negotiation = connected();
    negotiation.offered('o2');
    expect(negotiation.offerReceived(5)).toBe('answer');
    negotiation.answered('a5');
    expect(negotiation.pendingOffer).toBeNull();
    expect(negotiation.offered('o6').revision).toBe(6);
  });
});
