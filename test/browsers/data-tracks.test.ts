import { beforeAll, expect, it } from 'vitest';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { TcpProxy } from '../peers/tcp-proxy.ts';
import { waitUntil } from '../peers/wait.ts';

// Data tracks among browsers, by the unmodified twilio-video package.

const cast = new Cast();
let stage: Stage;
let browser: Browser;
let proxy: TcpProxy;
let anna: Party;
let ben: Party;

const join = (page: Party, identity: string, more: { data?: Record<string, object>; toneHz?: number; wsServer?: string } = {}): ReturnType<Party['join']> =>
  page.join({ token: stage.server.token(identity), wsServer: stage.server.wsUrl, roomName: 'Talk', ...more });

const subscribed = (page: Party, identity: string, sid: string) => page.waitEvent((event) => event.name === 'trackSubscribed' && event.identity === identity && event.sid === sid, `the data track of ${identity}`);

beforeAll(async () => {
  [stage, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  proxy = await cast.add('proxy', TcpProxy.start(stage.server.httpPort));
  await stage.room('Talk');
  [anna, ben] = await Promise.all([browser.party('anna'), browser.party('ben')]);
}, 60_000);

it('carry text and binary both ways, from the first message on that both are subscribed', async () => {
  const annaView = await join(anna, 'anna', { data: { chat: {}, quick: { ordered: false, maxRetransmits: 0 } } });
  // Ben publishes nothing at first: his connection has no m=application until we offer it.
  await join(ben, 'ben', { wsServer: `ws://127.0.0.1:${proxy.port}/signaling` });
  for (const { sid } of annaView.localTracks) await subscribed(ben, 'anna', sid);
  await anna.send('chat', ['hello', 'grüezi 🙂', '', [0, 1, 255], []]);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, ['hello', 'grüezi 🙂', '', [0, 1, 255], []]);
  await anna.send('quick', ['now']);
  await ben.waitMessages({ identity: 'anna', track: 'quick' }, ['now']);
  expect(await ben.delivery('quick'), 'at least as strict as asked').toMatchObject({ ordered: true, reliable: true });

  await subscribed(anna, 'ben', await ben.publishData('answers'));
  await ben.send('answers', ['yes', [7]]);
  await anna.waitMessages({ identity: 'ben', track: 'answers' }, ['yes', [7]]);
});

it('carry a thousand messages in order, and one of 70 000 bytes', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
  await anna.send('chat', many);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, many);
  const large = Array.from({ length: 70_000 }, (_, i) => i % 251);
  await ben.send('answers', [large]);
  await anna.waitMessages({ identity: 'ben', track: 'answers' }, [large]);
});

it('are tracks to REST and to the status callback', async () => {
  const { participants } = stage.server.client.video.v1.rooms('Talk');
  const published = await stage.server.client.video.v1.rooms('Talk').participants('anna').publishedTracks.list();
  expect(published.map(({ name, kind }) => [name, kind]).sort()).toEqual([['chat', 'data'], ['quick', 'data']]);
  const received = await participants.get('ben').subscribedTracks.list();
  expect(received.map(({ name, kind }) => [name, kind]).sort()).toEqual([['chat', 'data'], ['quick', 'data']]);
  expect(stage.roomEvents('track-added', { TrackKind: 'data' })).toHaveLength(3);
});

it('reach who comes late', async () => {
  const late = await browser.party('late');
  await join(late, 'late', { data: { chat: {} } });
  const sidOf = async (identity: string, track: string): Promise<string> => (await stage.server.client.video.v1.rooms('Talk').participants(identity).publishedTracks(track).fetch()).sid;
  await subscribed(late, 'anna', await sidOf('anna', 'chat'));
  await anna.send('chat', ['welcome']);
  await late.waitMessages({ identity: 'anna', track: 'chat' }, ['welcome']);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, ['welcome']);
  await subscribed(anna, 'late', await sidOf('late', 'chat'));
  await late.send('chat', ['thanks']);
  await Promise.all([anna, ben].map((page) => page.waitMessages({ identity: 'late', track: 'chat' }, ['thanks'])));
  await late.close();
});

it('go with their unpublishing and by subscribe rules, and come back', async () => {
  await anna.unpublishData('quick');
  await ben.waitEvent((event) => event.name === 'trackUnsubscribed' && event.kind === 'data', 'the end of the quick track');
  await ben.waitEvent((event) => event.name === 'trackUnpublished' && event.trackName === 'quick', 'its unpublishing');
  const { subscribeRules } = stage.server.client.video.v1.rooms('Talk').participants('ben');
  await subscribeRules.update({ rules: [{ type: 'include', all: true }, { type: 'exclude', kind: 'data' }] });
  await waitUntil(async () => (await ben.events()).filter((event) => event.name === 'trackUnsubscribed' && event.kind === 'data' && event.identity === 'anna').length === 2, { what: 'ben to lose the chat' });
  await anna.send('chat', ['not for ben']);
  await subscribeRules.update({ rules: [{ type: 'include', all: true }] });
  await waitUntil(async () => (await ben.events()).filter((event) => event.name === 'trackSubscribed' && event.kind === 'data' && event.identity === 'anna').length === 3, { what: 'ben to get the chat back' });
  await anna.send('chat', ['for ben again']);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, ['welcome', 'for ben again']);
});

it('flow while the signaling socket is lost, and after it is back', async () => {
  proxy.slam();
  await ben.waitEvent((event) => event.name === 'reconnecting', 'the loss to be noticed');
  await anna.send('chat', ['during']);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, ['during']);
  proxy.reopen();
  await ben.waitEvent((event) => event.name === 'reconnected', 'the return', 20_000);
  await ben.send('answers', ['back']);
  await anna.waitMessages({ identity: 'ben', track: 'answers' }, ['back']);
});

it('flow on over an ICE restart, both ways', async () => {
  const before = await ben.ufrags();
  await ben.restartIceNext();
  await ben.publishTone(620, 'hum');
  await waitUntil(async () => (await ben.ufrags())[0] !== before[0], { what: 'the restart' });
  await anna.send('chat', ['to the new transport']);
  await ben.waitMessages({ identity: 'anna', track: 'chat' }, ['to the new transport']);
  await ben.send('answers', ['from the new transport']);
  await anna.waitMessages({ identity: 'ben', track: 'answers' }, ['from the new transport']);
  await anna.waitHears('ben', 620);
  await anna.unpublishData('chat');
  await ben.waitEvent((event) => event.name === 'trackUnpublished' && event.trackName === 'chat', 'the end');
});
