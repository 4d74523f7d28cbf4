import { beforeAll, expect, it } from 'vitest';
import { oddToken, type OddToken } from '../peers/access-token.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { accessToken } from '../peers/server.ts';
import { Stage } from '../peers/stage.ts';

// Which access tokens let a browser in, told by the error that twilio-video throws.

const cast = new Cast();
const nowSeconds = Math.floor(Date.now() / 1000);
let stage: Stage;
let page: Party;

beforeAll(async () => {
  const [opened, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  stage = opened;
  page = await browser.party('page');
}, 60_000);

/** Error code of a join, 0 when it succeeded. */
async function join(token: string, roomName = 'Tokens'): Promise<number | null> {
  const result = await page.tryJoin({ token, wsServer: stage.server.wsUrl, roomName });
  if ('error' in result) return result.error.code;
  await page.leave();
  return 0;
}

const key = (): { keySid: string; keySecret: string; accountSid: string } => ({ keySid: stage.server.apiKeySid, keySecret: stage.server.apiKeySecret, accountSid: stage.server.accountSid });

it.each(['HS256', 'HS384', 'HS512'] as const)('a token of the official helper is accepted, signed with %s', async (algorithm) => {
  expect(await join(accessToken({ ...key(), identity: 'anna', algorithm }))).toBe(0);
});

it('a token names its room by name or by SID, and no other', async () => {
  const named = await stage.server.client.video.v1.rooms.create({ uniqueName: 'Granted' });
  expect(await join(accessToken({ ...key(), identity: 'anna', room: 'Granted' }), 'Granted')).toBe(0);
  expect(await join(accessToken({ ...key(), identity: 'anna', room: named.sid }), 'Granted')).toBe(0);
  expect(await join(accessToken({ ...key(), identity: 'anna', room: 'Granted' }), 'Another')).toBe(20106);
});

const refusals: [what: string, codes: number[], change: Partial<OddToken>][] = [
  ['a wrong secret', [20107], { keySecret: 'not the secret at all' }],
  ['an unknown key', [20103], { keySid: `SK${'0'.repeat(32)}` }],
  ['an account that is not its key’s', [20103], { accountSid: `AC${'0'.repeat(32)}` }],
  ['an end in the past', [20104], { payload: { exp: nowSeconds - 60 } }],
  ['an end more than a day ahead', [20104], { payload: { exp: nowSeconds + 25 * 3600 } }],
  ['a beginning in the future', [20105], { payload: { nbf: nowSeconds + 600 } }],
  ['no content type in its header', [20102], { header: { cty: undefined } }],
  ['no video grant', [20106], { payload: { grants: { identity: 'odd' } } }],
  ['an empty identity', [20101, 53200], { payload: { grants: { identity: '', video: {} } } }],
];

it.each(refusals)('a token with %s is refused with %j', async (_what, codes, change) => {
  const code = await join(oddToken({ ...key(), ...change }));
  expect(codes).toContain(code);
});

it('a token that is none is refused with 20101', async () => {
  expect(await join('not.a.token')).toBe(20101);
});
