import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { Stage } from '../peers/stage.ts';
import { readWav } from '../peers/tones.ts';
import { sleep, waitUntil } from '../peers/wait.ts';

// Where webhooks may lead and how long they may take; speech into <Gather>, and who answered a call: a real phone that speaks.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const FROM = '+15550730';
const folder = temporaryFolder('speech');
const recognised = temporaryFolder('recognised');

let stage: Stage;
let caller: Phone;
let person: Phone;
let machine: Phone;

/** Silence, words or tones one after another, then silence for a minute: 8 kHz mono. */
function recording(name: string, pieces: ({ silenceS: number } | { words: string } | { toneHz: number; durationS: number })[]): string {
  const files = [...pieces, { silenceS: 60 }].map((piece, n) => {
    const file = `${folder}/${name}-${n}.wav`;
    const format = ['-r', '8000', '-c', '1', '-b', '16'];
    if ('words' in piece) {
      execFileSync('espeak-ng', ['-w', `${file}.speech.wav`, piece.words]);
      execFileSync('sox', [`${file}.speech.wav`, ...format, file]);
    } else if ('silenceS' in piece) execFileSync('sox', ['-n', ...format, file, 'trim', '0', String(piece.silenceS)]);
    else execFileSync('sox', ['-n', ...format, file, 'synth', String(piece.durationS), 'sine', String(piece.toneHz), 'vol', '0.5']);
    return file;
  });
  execFileSync('sox', [...files, `${folder}/${name}.wav`]);
  return `${folder}/${name}.wav`;
}

/** Keeps what it was given and understands the same in everything. */
function recognizer(): string {
  const program = `${folder}/recognize`;
  writeFileSync(program, `#!/bin/sh\ncp "$1" ${recognised}/\nprintf '%s %s' "$2" "$3" > ${recognised}/asked\nprintf '{"transcript":"Two tickets please.","confidence":0.87}'\n`);
  chmodSync(program, 0o755);
  return program;
}

beforeAll(async () => {
  stage = await Stage.open(cast, { env: { PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: '127.0.0.1/32', PARTYLINE_SPEECH_RECOGNIZER: recognizer() } });
  const says = (name: string, pieces: Parameters<typeof recording>[1]) => cast.add(name, startPhone({ user: name, toneHz: 440, wav: recording(name, pieces) }));
  caller = await says('caller', [{ silenceS: 1.5 }, { words: 'Two tickets, please.' }]);
  person = await says('person', [{ silenceS: 1 }, { words: 'Hello?' }]);
  machine = await says('machine', [{ silenceS: 0.5 }, { words: 'You have reached the office of Miller and Sons. Nobody is here right now. Please leave a message after the tone.' }, { silenceS: 0.4 }, { toneHz: 1000, durationS: 0.5 }]);
  stage.app.on('/fallback', () => '<Response><Hangup/></Response>');
  stage.app.on('/next', () => '<Response><Hangup/></Response>');
  stage.app.on('/said', () => '<Response><Hangup/></Response>');
  stage.app.on('/answered', () => '<Response><Pause length="20"/></Response>');
  await stage.number(FROM, '/voice');
}, 60_000);

afterEach(async () => {
  await caller.hangUp();
  for (const call of await stage.server.client.calls.list({ status: 'in-progress' })) await stage.server.client.calls(call.sid).update({ status: 'completed' }).catch(() => undefined);
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'all calls to be over' });
});

async function number(digits: string, voiceUrl: string): Promise<string> {
  await stage.server.client.incomingPhoneNumbers.create({ phoneNumber: digits, voiceUrl, voiceFallbackUrl: `${stage.app.url}/fallback` });
  return stage.server.sipUri(digits);
}

it('a VoiceUrl into a private network is refused, and the fallback is asked', async () => {
  const inside = `${stage.app.url.replace('127.0.0.1', '127.0.0.2')}/inside`;
  await caller.dial(await number('+15550731', inside));
  const fallback = await stage.app.waitFor({ path: '/fallback', params: { ErrorUrl: inside } });
  expect(fallback.valid).toBe(true);
  expect(fallback.params['ErrorCode']).toBe('11205');
  const notifications = await stage.server.client.calls(fallback.params['CallSid'] ?? '').notifications.list();
  expect(notifications.map(({ errorCode, log }) => [String(errorCode), String(log)])).toEqual([['11205', '0']]);
  expect(notifications[0]?.messageText).toContain('private network');
  expect(stage.app.matching({ path: '/inside' })).toEqual([]);
  expect(stage.server.log()).toMatch(/into private networks are refused but for 127\.0\.0\.1\/32/);
});

it('an application that does not answer in the time its URL gives is given up for the fallback', async () => {
  stage.app.on('/slow', async () => {
    await sleep(6000);
    return '<Response/>';
  });
  for (const [digits, override] of [['+15550732', 'tt=1500'], ['+15550733', 'rt=1500']] as const) {
    const url = `${stage.app.url}/slow#${override}`;
    await caller.dial(await number(digits, url));
    const fallback = await stage.app.waitFor({ path: '/fallback', params: { ErrorUrl: url } });
    const asked = stage.app.matching({ path: '/slow', params: { CallSid: fallback.params['CallSid'] ?? '' } });
    expect(asked).toHaveLength(1);
    expect(fallback.params['ErrorCode']).toBe('11205');
    expect(fallback.at - (asked[0]?.at ?? 0)).toBeGreaterThan(1400);
    expect(fallback.at - (asked[0]?.at ?? 0)).toBeLessThan(4500);
    await caller.hangUp();
  }
});

it('what a caller says is recorded, recognised by the program, and sent to the action', async () => {
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.gather({ input: ['speech'], action: '/said', speechTimeout: '1', timeout: 10, language: 'en-GB', hints: 'two tickets, three tickets' });
    response.redirect('/next');
    return response;
  });
  await caller.dial(stage.server.sipUri(FROM));
  const said = await stage.app.waitFor({ path: '/said' }, { timeoutMs: 15_000 });
  expect(said.valid).toBe(true);
  expect(said.params).toMatchObject({ SpeechResult: 'Two tickets please.', Confidence: '0.87', CallStatus: 'in-progress' });
  const [file] = readdirSync(recognised).filter((name) => name.endsWith('.wav'));
  const { sampleRateHz, samples } = readWav(`${recognised}/${file}`);
  expect(sampleRateHz).toBe(8000);
  // The words alone: silence at both ends is cut off.
  expect(samples.length / 8000).toBeGreaterThan(0.7);
  expect(samples.length / 8000).toBeLessThan(3);
  expect(Math.max(...samples)).toBeGreaterThan(2000);
  expect(readdirSync(`${stage.server.dataDir}/heard`)).toEqual([]);
});

const place = (phone: Phone, more: Record<string, unknown>) => stage.server.client.calls.create({ to: phone.uri, from: FROM, url: `${stage.app.url}/answered`, ...more });

it('a person answers: the first request waits and says so', async () => {
  const call = await place(person, { machineDetection: 'Enable' });
  const asked = await stage.app.waitFor({ path: '/answered', params: { CallSid: call.sid } });
  expect(asked.valid).toBe(true);
  expect(asked.params).toMatchObject({ AnsweredBy: 'human', CallStatus: 'in-progress' });
  expect((await stage.server.client.calls(call.sid).fetch()).answeredBy).toBe('human');
});

it('a machine answers: its greeting is waited for to the beep', async () => {
  const call = await place(machine, { machineDetection: 'DetectMessageEnd' });
  const asked = await stage.app.waitFor({ path: '/answered', params: { CallSid: call.sid } }, { timeoutMs: 20_000 });
  expect(asked.params['AnsweredBy']).toBe('machine_end_beep');
});

it('AsyncAmd: the call goes on, and the callback tells of the machine', async () => {
  const call = await place(machine, { machineDetection: 'Enable', asyncAmd: 'true', asyncAmdStatusCallback: `${stage.app.url}/amd` });
  const asked = await stage.app.waitFor({ path: '/answered', params: { CallSid: call.sid } });
  expect(asked.params).not.toHaveProperty('AnsweredBy');
  const told = await stage.app.waitFor({ path: '/amd', params: { CallSid: call.sid } });
  expect(told.valid).toBe(true);
  expect(told.params).toMatchObject({ AccountSid: stage.server.accountSid, AnsweredBy: 'machine_start' });
  expect(Number(told.params['MachineDetectionDuration'])).toBeGreaterThan(2400);
  expect(told.at).toBeGreaterThan(asked.at);
});
