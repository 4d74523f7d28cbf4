import { describe, expect, it } from 'vitest';
import { Headers } from '../message/headers.ts';
import { NO_BODY, type SipRequest, type SipResponse } from '../message/message.ts';
import { InviteClientMachine } from './invite-client.ts';
import { InviteServerMachine } from './invite-server.ts';
import type { ClientMachine, ClientOutput, ServerMachine, ServerOutput } from './machine.ts';
import { RequestClientMachine } from './request-client.ts';
import { RequestServerMachine } from './request-server.ts';

// The four machines alone: what comes out, at which millisecond.

function request(method: string): SipRequest {
  const headers = new Headers().add('Via', 'SIP/2.0/UDP a;branch=z9hG4bKx').add('From', '<sip:a@a>;tag=f').add('To', '<sip:b@b>').add('Call-ID', 'c').add('CSeq', `7 ${method}`);
  headers.add('Route', '<sip:p;lr>');
  return { kind: 'request', method, uri: 'sip:b@b', headers, body: NO_BODY };
}

function response(statusCode: number): SipResponse {
  return { kind: 'response', statusCode, reasonPhrase: '', headers: new Headers().add('To', '<sip:b@b>;tag=t'), body: NO_BODY };
}

type Output = ClientOutput | ServerOutput;

function word(output: Output): string {
  if (output.kind === 'send') return output.message.kind === 'request' ? `send ${output.message.method}` : `send ${output.message.statusCode}`;
  if (output.kind === 'deliver') return `deliver ${output.response.statusCode}`;
  return output.kind === 'failed' ? `failed ${output.reason}` : 'terminated';
}

const words = (outputs: Output[]): string[] => outputs.map(word);

/** Runs the timers of a machine until it has none; `[ms, what]` for each thing that came out. */
function run(machine: ClientMachine | ServerMachine, untilMs = Infinity): [number, string][] {
  const seen: [number, string][] = [];
  for (let nextMs = machine.nextMs; nextMs !== null && nextMs <= untilMs; nextMs = machine.nextMs) {
    const atMs = nextMs;
    expect(words(machine.expire(atMs - 1))).toEqual([]);
    for (const what of words(machine.expire(atMs))) seen.push([atMs, what]);
  }
  return seen;
}

const sends = (what: string, times: number[]): [number, string][] => times.map((ms) => [ms, what]);

describe('INVITE client (RFC 3261 §17.1.1)', () => {
  const start = (reliable: boolean): InviteClientMachine => {
    const machine = new InviteClientMachine(request('INVITE'), { reliable });
    expect(words(machine.start(0))).toEqual(['send INVITE']);
    return machine;
  };

  it('UDP: repeats at doubling intervals (A) and gives up at 32 s (B)', () => {
    expect(run(start(false))).toEqual([...sends('send INVITE', [500, 1500, 3500, 7500, 15_500, 31_500]), [32_000, 'failed timeout'], [32_000, 'terminated']]);
  });

  it('TCP: says it once, gives up at 32 s', () => {
    expect(run(start(true))).toEqual([[32_000, 'failed timeout'], [32_000, 'terminated']]);
  });

  it('a provisional answer stops A and B', () => {
    const machine = start(false);
    expect(words(machine.response(response(180), 400))).toEqual(['deliver 180']);
    expect(machine.nextMs).toBeNull();
    expect(words(machine.response(response(183), 90_000))).toEqual(['deliver 183']);
  });

  it('a refusal is delivered once and acknowledged each time, for 32 s (D)', () => {
    const machine = start(false);
    expect(words(machine.response(response(486), 100)).sort()).toEqual(['deliver 486', 'send ACK']);
    expect(words(machine.response(response(486), 600))).toEqual(['send ACK']);
    expect(words(machine.response(response(200), 700))).toEqual([]);
    expect(run(machine)).toEqual([[32_100, 'terminated']]);
  });

  it('over TCP a refusal ends it at once', () => {
    expect(words(start(true).response(response(404), 1)).sort()).toEqual(['deliver 404', 'send ACK', 'terminated']);
  });

  it('the ACK for a refusal has the branch, the route and the CSeq number of the INVITE, and the tag of the answer', () => {
    const sent = start(false).response(response(486), 1).find((output) => output.kind === 'send');
    const ack = sent?.kind === 'send' ? sent.message : null;
    const get = (key: string) => ack?.headers.get(key);
    expect([get('via'), get('route'), get('cseq'), get('to')]).toEqual(['SIP/2.0/UDP a;branch=z9hG4bKx', '<sip:p;lr>', '7 ACK', '<sip:b@b>;tag=t']);
  });

  it('every 2xx goes up until M, 32 s later (RFC 6026)', () => {
    const machine = start(false);
    expect(words(machine.response(response(200), 100))).toEqual(['deliver 200']);
    expect(words(machine.response(response(200), 600))).toEqual(['deliver 200']);
    expect(words(machine.response(response(486), 700))).toEqual([]);
    expect(run(machine)).toEqual([[32_100, 'terminated']]);
    expect(words(machine.response(response(200), 40_000))).toEqual([]);
  });

  it('a transport error ends it while it waits, not after an answer', () => {
    expect(words(start(false).transportFailed())).toEqual(['failed transport', 'terminated']);
    const answered = start(false);
    answered.response(response(486), 1);
    expect(words(answered.transportFailed())).toEqual([]);
  });
});

describe('other client (RFC 3261 §17.1.2)', () => {
  const start = (reliable: boolean): RequestClientMachine => {
    const machine = new RequestClientMachine(request('BYE'), { reliable });
    expect(words(machine.start(0))).toEqual(['send BYE']);
    return machine;
  };

  it('UDP: repeats at intervals doubling up to 4 s (E), gives up at 32 s (F)', () => {
    const times = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    expect(run(start(false))).toEqual([...sends('send BYE', times), [32_000, 'failed timeout'], [32_000, 'terminated']]);
  });

  it('after a provisional answer it repeats every 4 s', () => {
    const machine = start(false);
    machine.response(response(100), 100);
    expect(run(machine, 9000)).toEqual(sends('send BYE', [500, 4500, 8500]));
  });

  it('a final answer is delivered once; repetitions are absorbed for 5 s (K)', () => {
    const machine = start(false);
    expect(words(machine.response(response(200), 100))).toEqual(['deliver 200']);
    expect(words(machine.response(response(200), 600))).toEqual([]);
    expect(run(machine)).toEqual([[5100, 'terminated']]);
  });

  it('over TCP the final answer ends it', () => {
    expect(words(start(true).response(response(200), 100))).toEqual(['deliver 200', 'terminated']);
  });
});

describe('INVITE server (RFC 3261 §17.2.1)', () => {
  it('repeats its last provisional answer when the INVITE comes again', () => {
    const machine = new InviteServerMachine({ reliable: false });
    expect(words(machine.retransmission())).toEqual([]);
    machine.respond(response(100), 0);
    machine.respond(response(180), 10);
    expect(words(machine.retransmission())).toEqual(['send 180']);
  });

  it('UDP: repeats a refusal up to every 4 s (G) and fails at 32 s without ACK (H)', () => {
    const machine = new InviteServerMachine({ reliable: false });
    expect(words(machine.respond(response(486), 0))).toEqual(['send 486']);
    const times = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    expect(run(machine)).toEqual([...sends('send 486', times), [32_000, 'failed timeout'], [32_000, 'terminated']]);
  });

  it('ACK stops that; further ACKs and INVITEs are absorbed for 5 s (I)', () => {
    const machine = new InviteServerMachine({ reliable: false });
    machine.respond(response(486), 0);
    expect(words(machine.acknowledged(700))).toEqual([]);
    expect(words(machine.retransmission())).toEqual([]);
    expect(run(machine)).toEqual([[5700, 'terminated']]);
  });

  it('over TCP a refusal is not repeated, and ACK ends it', () => {
    const machine = new InviteServerMachine({ reliable: true });
    machine.respond(response(486), 0);
    expect(machine.nextMs).toBe(32_000);
    expect(words(machine.acknowledged(700))).toEqual(['terminated']);
  });

  it('after a 2xx INVITEs are absorbed, 2xx pass, nothing else does, until L at 32 s (RFC 6026)', () => {
    const machine = new InviteServerMachine({ reliable: false });
    expect(words(machine.respond(response(200), 0))).toEqual(['send 200']);
    expect(words(machine.retransmission())).toEqual([]);
    expect(words(machine.respond(response(200), 500))).toEqual(['send 200']);
    expect(words(machine.respond(response(486), 600))).toEqual([]);
    expect(words(machine.transportFailed())).toEqual([]);
    expect(run(machine)).toEqual([[32_000, 'terminated']]);
  });
});

describe('other server (RFC 3261 §17.2.2)', () => {
  it('repeats its final answer for 32 s over UDP (J), not at all over TCP', () => {
    const machine = new RequestServerMachine({ reliable: false });
    expect(words(machine.retransmission())).toEqual([]);
    expect(words(machine.respond(response(200), 0))).toEqual(['send 200']);
    expect(words(machine.retransmission())).toEqual(['send 200']);
    expect(words(machine.respond(response(500), 5))).toEqual([]);
    expect(run(machine)).toEqual([[32_000, 'terminated']]);
    expect(words(new RequestServerMachine({ reliable: true }).respond(response(200), 0))).toEqual(['send 200', 'terminated']);
  });
});
