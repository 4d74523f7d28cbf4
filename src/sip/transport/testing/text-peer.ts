import { createSocket, type Socket } from 'node:dgram';
import { systemClock } from '../../../base/clock.ts';
import type { IncomingSipCall, OutgoingSipCall, SipBody, SipEnding } from '../../contract.ts';
import { SipError } from '../../errors.ts';

/** How long a message of the user agent may take over the loopback. */
const PATIENCE_MS = 2_000;

export interface RequestParts {
  callId?: string;
  branch?: string;
  cseq?: number;
  toTag?: string;
  fromTag?: string;
  extra?: string[];
  body?: string;
  uri?: string;
}

/** A peer that speaks SIP over UDP in lines of text, for tests of a user agent on the wire. */
export class TextPeer {
  readonly socket: Socket = createSocket('udp4');
  readonly inbox: string[] = [];
  port = 0;
  readonly #agentPort: () => number;
  #waiting: (() => void) | null = null;

  constructor(agentPort: () => number) {
    this.#agentPort = agentPort;
  }

  async open(): Promise<void> {
    this.socket.on('message', (bytes) => {
      this.inbox.push(bytes.toString());
      this.#waiting?.();
    });
    await new Promise<void>((resolve) => this.socket.bind(0, '127.0.0.1', resolve));
    this.port = this.socket.address().port;
  }

  send(text: string): void {
    this.socket.send(Buffer.from(text), this.#agentPort(), '127.0.0.1');
  }

  /** The next message whose first line contains `what`; those before it are dropped. */
  async next(what: string): Promise<string> {
    for (;;) {
      while (this.inbox.length > 0) {
        const message = this.inbox.shift() ?? '';
        if (message.split('\r\n')[0]?.includes(what)) return message;
      }
      await new Promise<void>((resolve, reject) => {
        const limit = systemClock.after(PATIENCE_MS, () => reject(new SipError(`no ${what} came`)));
        this.#waiting = () => {
          limit.cancel();
          resolve();
        };
      });
    }
  }

  /** All that came until the user agent has surely read what was sent: an OPTIONS is answered in order. */
  async settle(): Promise<string[]> {
    const callId = `settle-${Math.random()}`;
    this.send(this.request('OPTIONS', { callId, branch: `z9hG4bK${callId}` }));
    const before: string[] = [];
    for (;;) {
      const message = this.inbox.shift();
      if (message === undefined) await new Promise<void>((resolve) => (this.#waiting = resolve));
      else if (message.includes(callId)) return before;
      else before.push(message);
    }
  }

  /** A request to the user agent. */
  request(method: string, parts: RequestParts = {}): string {
    const { callId = 'c1', branch = `z9hG4bK-${method}-${parts.cseq ?? 1}`, cseq = 1, fromTag = 'peer', body = '' } = parts;
    const lines = [
      `${method} ${parts.uri ?? 'sip:+15550100@127.0.0.1'} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.port};branch=${branch};rport`,
      `From: "Peer" <sip:peer@127.0.0.1:${this.port}>;tag=${fromTag}`,
      `To: <sip:+15550100@127.0.0.1>${parts.toTag ? `;tag=${parts.toTag}` : ''}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:peer@127.0.0.1:${this.port}>`,
      'Max-Forwards: 70',
      ...(parts.extra ?? []),
      ...(body ? ['Content-Type: application/sdp'] : []),
      `Content-Length: ${body.length}`,
    ];
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** An answer to a request of the user agent. */
  answer(to: string, status: string, parts: { tag?: string; extra?: string[]; body?: string } = {}): string {
    const copied = to.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line)).map((line) => (line.startsWith('To:') && parts.tag && !line.includes('tag=') ? `${line};tag=${parts.tag}` : line));
    const typed = parts.body ? ['Content-Type: application/sdp'] : [];
    const lines = [`SIP/2.0 ${status}`, ...copied, `Contact: <sip:callee@127.0.0.1:${this.port}>`, ...(parts.extra ?? []), ...typed, `Content-Length: ${(parts.body ?? '').length}`];
    return `${lines.join('\r\n')}\r\n\r\n${parts.body ?? ''}`;
  }
}

export function headerOf(message: string, name: string): string {
  return message.split('\r\n').find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))?.slice(name.length + 1).trim() ?? '';
}

export function toTagOf(message: string): string {
  return /tag=([^;>\s]+)/.exec(headerOf(message, 'To'))?.[1] ?? '';
}

export function bodyTextOf(message: string): string {
  return message.slice(message.indexOf('\r\n\r\n') + 4);
}

/** A body of SDP, whatever stands in it. */
export function sdp(text: string): SipBody {
  return { contentType: 'application/sdp', bytes: Buffer.from(text) };
}

export function textOf(body: { bytes: Uint8Array } | null): string | null {
  return body && Buffer.from(body.bytes).toString();
}

/** Fills up as a call ends: once, if all is well. */
export function endingsOf(call: IncomingSipCall | OutgoingSipCall): SipEnding[] {
  const endings: SipEnding[] = [];
  (call as IncomingSipCall).on('ended', (ending) => endings.push(ending));
  return endings;
}
