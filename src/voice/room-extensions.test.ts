import { beforeEach, describe, expect, it } from 'vitest';
import type { FakePhone } from '../testing/fake-media.ts';
import type { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
  world.app.on('/next', '<Response><Pause length="600"/></Response>');
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
});

const NAMESPACE = 'xmlns:pl="https://partyline.dev/twiml"';

async function call(room: string, on = NAMESPACE): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response ${on}><Connect action="/after">${room}</Connect><Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  return phone;
}

const asked = (path: string): Record<string, string>[] => world.app.asked.filter((request) => request.path === path).map((request) => request.params);
const media = (): FakePhone => world.media.phones[0] as FakePhone;
const notes = (): string[] => world.calls.notifications.map(({ errorCode, messageText }) => `${errorCode} ${messageText}`);
const wishes = () => world.rooms.stays[0]?.wishes;

describe('extensions of <Room>', () => {
  it('are read under whatever prefix the document gives their namespace', async () => {
    world.rooms.open('daily');
    await call('<Room our:muted="true" our:muteKeys="*6" our:joinTone="true" our:leaveTone="TRUE">daily</Room>', 'xmlns:our="https://partyline.dev/twiml"');
    expect(wishes()).toEqual({ muted: true, muteKeys: '*6', joinTone: true, leaveTone: true });
    expect(notes()).toEqual([]);
  });

  it('may be declared on the <Room> itself, as the official helper can', async () => {
    world.rooms.open('daily');
    await call(`<Room ${NAMESPACE} pl:muteKeys="99">daily</Room>`, '');
    expect(wishes()).toEqual({ muted: false, muteKeys: '99', joinTone: false, leaveTone: false });
  });

  it('are off in a plain document', async () => {
    world.rooms.open('daily');
    await call('<Room>daily</Room>', '');
    expect(wishes()).toEqual({ muted: false, muteKeys: null, joinTone: false, leaveTone: false });
  });

  it.each([
    ['pl:muted="true"', '', "Attribute 'pl:muted' of <Room> is not known"],
    ['muted="true"', NAMESPACE, "Attribute 'muted' of <Room> is not known"],
    ['pl:muted="true"', 'xmlns:pl="urn:other"', "Attribute 'pl:muted' of <Room> is not known"],
    [`xmlns:pl="urn:other" pl:muted="true"`, NAMESPACE, "Attribute 'pl:muted' of <Room> is not known"],
    ['pl:volume="3"', NAMESPACE, "Attribute 'pl:volume' of <Room> is not known"],
    ['pl:muteKeys="abc"', NAMESPACE, "Attribute 'pl:muteKeys' of <Room> must be one to four keys"],
    ['pl:waitTimeout="0"', NAMESPACE, "Attribute 'pl:waitTimeout' of <Room> must be a whole number"],
  ])('%s in a document of %s is warned of and does nothing', async (attribute, on, message) => {
    world.rooms.open('daily');
    await call(`<Room ${attribute}>daily</Room>`, on);
    expect(notes()).toEqual([expect.stringContaining(`12200 ${message}`)]);
    expect(wishes()).toEqual({ muted: false, muteKeys: null, joinTone: false, leaveTone: false });
  });
});

describe('<Room pl:waitForRoom>', () => {
  const wait = (more = ''): Promise<FakeIncomingCall> => call(`<Room pl:waitForRoom="true" ${more}>daily</Room>`);

  it('answers and plays music until the room opens, then joins it', async () => {
    const phone = await wait('participantIdentity="desk"');
    media().playsOn = true;
    expect(phone.answer).not.toBeNull();
    expect(media().played.map(({ source, loops }) => [source.kind, loops])).toEqual([['file', 0]]);
    expect(world.rooms.stays).toEqual([]);
    world.rooms.open('daily');
    await settle();
    expect(world.rooms.stays).toMatchObject([{ roomName: 'daily', identity: 'desk' }]);
    expect(world.rooms.waiting).toBe(0);
    expect(notes()).toEqual([]);
  });

  it('joins at once when the room is there', async () => {
    world.rooms.open('daily');
    await wait();
    expect(world.rooms.stays).toHaveLength(1);
    expect(media().played).toEqual([]);
  });

  it('runs the next verb when the room did not open in time, and the debugger says so', async () => {
    await wait('pl:waitTimeout="30"');
    world.clock.advance(29_000);
    await settle();
    expect(asked('/next')).toEqual([]);
    world.clock.advance(1000);
    await settle();
    expect(asked('/next')).toHaveLength(1);
    expect(asked('/after')).toEqual([]);
    expect(notes()).toEqual([expect.stringContaining('53106')]);
    world.rooms.open('daily');
    await settle();
    expect(world.rooms.stays).toEqual([]);
  });

  it('asks waitUrl again and again, with the room’s name and the time so far', async () => {
    world.app.on('/hold', '<Response><Pause length="10"/></Response>');
    await wait('pl:waitUrl="/hold"');
    world.clock.advance(10_000);
    await settle();
    expect(asked('/hold')).toMatchObject([{ RoomName: 'daily', WaitTime: '0', CallStatus: 'in-progress' }, { RoomName: 'daily', WaitTime: '10' }]);
    world.rooms.open('daily');
    await settle();
    expect(world.rooms.stays).toHaveLength(1);
    world.clock.advance(30_000);
    await settle();
    expect(asked('/hold')).toHaveLength(2);
  });

  it('<Leave> in the waiting document goes on with the next verb, <Hangup> ends the call', async () => {
    world.app.on('/hold', '<Response><Leave/></Response>');
    await wait('pl:waitUrl="/hold"');
    expect(asked('/next')).toHaveLength(1);
    world.app.on('/hold', '<Response><Hangup/></Response>');
    await wait('pl:waitUrl="/hold"');
    expect(world.record().status).toBe('completed');
    expect(world.rooms.waiting).toBe(0);
  });

  it('ends with the call', async () => {
    const phone = await wait();
    phone.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(world.rooms.waiting).toBe(0);
    world.rooms.open('daily');
    await settle();
    expect(world.rooms.stays).toEqual([]);
    expect(asked('/next')).toEqual([]);
  });

  it('is left when REST sends the call elsewhere', async () => {
    await wait();
    await world.live.update(world.accountSid, world.record().sid, { url: 'http://app.test/after' });
    await settle();
    expect(asked('/after')).toHaveLength(1);
    expect(world.rooms.waiting).toBe(0);
  });
});
