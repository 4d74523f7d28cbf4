import { expect, it } from 'vitest';
import { transferTargets, type TransferContext } from './transfer-targets.ts';

it('a refusal, which is logged, names whom the phone wanted without the password of the URI', () => {
  const dialler = { registrations: { contactsAt: () => null }, transfers: { isOurs: () => false } } as unknown as TransferContext['dialler'];
  const call = { accountSid: 'AC', to: 'client:alice' } as unknown as TransferContext['call'];
  const refused = transferTargets({ target: 'sip:bob:secret@203.0.113.9', replaces: null, referredBy: null }, { call, by: call, dialler, callerId: undefined });
  expect(refused).toEqual({ statusCode: 403, reason: 'bob@203.0.113.9 is neither a user of a SIP domain of this account nor a number' });
});
