import { Emitter } from '../../base/emitter.ts';
import { SipError } from '../../sip/errors.ts';
import type { IncomingSipCall, IncomingSipRefer, SipAuthentication, SipContact, SipReferWatcher, SipSecretLookup, OutgoingSipCall, OutgoingSipCallEvents, OutgoingSipCallOptions, SipBody, SipCallEvents, SipProbeOptions, SipProbeResult, SipRegistration, SipRegistrationEvents, SipRegistrationOptions, SipUserAgent, SipUserAgentEvents } from '../../sip/contract.ts';

const OFFER = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', 'm=audio 4000 RTP/AVP 0 101', 'a=rtpmap:101 telephone-event/8000', ''].join('\r\n');

export function sdpBody(text: string = OFFER): SipBody {
  return { contentType: 'application/sdp', bytes: Buffer.from(text) };
}

/** What our side said to the phone, in order: `180`, `200`, `486`, `BYE`, `CANCEL`. */
type Said = { said: string[] };

export class FakeIncomingCall extends Emitter<SipCallEvents> implements IncomingSipCall, Said {
  readonly callId = 'call-1';
  readonly source = { transport: 'udp' as const, address: '198.51.100.7', port: 5060 };
  state: IncomingSipCall['state'] = 'early';
  readonly said: string[] = [];
  readonly requestUri: string;
  readonly requestUriUser: string;
  readonly requestUriHost: string;
  readonly from = { displayName: '', uri: 'sip:+15557001@198.51.100.7', user: '+15557001', host: '198.51.100.7' };
  readonly to: IncomingSipCall['to'];
  readonly headers: [string, string][] = [['X-Team', 'a']];
  replaces: IncomingSipCall['replaces'] = null;
  body: SipBody | null = sdpBody();
  /** Our SDP of the 200. */
  answer: SipBody | null = null;
  /** Off: the ACK waits for `acknowledge`. */
  acknowledges = true;

  constructor(user = '+15550100', host = '127.0.0.1') {
    super();
    this.requestUri = `sip:${user}@${host}`;
    this.requestUriUser = user;
    this.requestUriHost = host;
    this.to = { displayName: '', uri: this.requestUri, user, host };
  }

  header(name: string): string[] {
    return this.headers.filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  /** Who the phone says it is; null sends no credentials. */
  proof: { username: string; secret: string } | null = null;

  /** The proof holds when its secret is the md5 of one that is kept. */
  authenticate(secretsOf: SipSecretLookup): SipAuthentication {
    const { proof } = this;
    if (proof && secretsOf(proof.username).some(({ md5 }) => md5 === proof.secret)) return { verified: true, username: proof.username };
    this.reject(proof ? 403 : 407);
    return { verified: false, reason: proof ? 'wrong' : 'asked', username: proof?.username ?? null };
  }

  ring({ statusCode = 180 }: { statusCode?: 180 | 183 } = {}): void {
    this.said.push(String(statusCode));
  }

  accept({ body }: { body: SipBody }): void {
    this.said.push('200');
    this.answer = body;
    this.state = 'accepted';
    if (this.acknowledges) queueMicrotask(() => this.acknowledge());
  }

  /** What came of the latest REFER is told here. */
  referred: { to: string; watcher: SipReferWatcher } | null = null;

  reoffer(): void {
    this.said.push('re-INVITE');
  }

  refer(to: string, watcher: SipReferWatcher): void {
    if (!/^sips?:\S+$/.test(to)) throw new SipError('not a SIP URI');
    this.said.push('REFER');
    this.referred = { to, watcher };
  }

  acknowledge(body: SipBody | null = null): void {
    if (this.state !== 'accepted') return;
    this.state = 'confirmed';
    this.emit('confirmed', body);
  }

  reject(statusCode: number): void {
    this.said.push(String(statusCode));
    this.#over('local');
  }

  hangup(): void {
    if (this.state === 'ended') return;
    this.said.push('BYE');
    this.#over('local');
  }

  /** The phone hangs up, or gives up. */
  remoteEnds(cause: 'remote-bye' | 'remote-cancel' | 'ack-timeout'): void {
    this.#over(cause);
  }

  #over(cause: 'remote-bye' | 'remote-cancel' | 'ack-timeout' | 'local'): void {
    this.state = 'ended';
    this.emit('ended', { cause });
  }
}

export class FakeOutgoingCall extends Emitter<OutgoingSipCallEvents> implements OutgoingSipCall, Said {
  readonly callId = 'call-2';
  readonly source = { transport: 'udp' as const, address: '198.51.100.8', port: 5060 };
  state: OutgoingSipCall['state'] = 'early';
  readonly said: string[] = ['INVITE'];
  readonly options: OutgoingSipCallOptions;
  /** To be set before it answers or refuses. */
  answerHeaders: [name: string, value: string][] = [];

  constructor(options: OutgoingSipCallOptions) {
    super();
    this.options = options;
  }

  hangup(): void {
    if (this.state === 'ended') return;
    this.said.push(this.state === 'early' ? 'CANCEL' : 'BYE');
    this.state = 'ended';
    this.emit('ended', { cause: 'local' });
  }

  /** What came of the latest REFER is told here. */
  referred: { to: string; watcher: SipReferWatcher } | null = null;

  /** The latest re-INVITE, to be answered. */
  reoffered: { offer: SipBody; answered: (statusCode: number, answer: SipBody | null) => void } | null = null;

  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void {
    this.said.push('re-INVITE');
    this.reoffered = { offer, answered };
  }

  refer(to: string, watcher: SipReferWatcher): void {
    if (!/^sips?:\S+$/.test(to)) throw new SipError('not a SIP URI');
    this.said.push('REFER');
    this.referred = { to, watcher };
  }

  rings(): void {
    this.emit('progressed', 180, null);
  }

  /** 183 with early media. */
  soundsEarly(): void {
    this.emit('progressed', 183, sdpBody());
  }

  answers(body: SipBody | null = sdpBody()): void {
    this.state = 'confirmed';
    this.emit('accepted', body);
    this.emit('confirmed', null);
  }

  refuses(statusCode: number): void {
    this.state = 'ended';
    this.emit('ended', { cause: 'rejected', statusCode });
  }

  /** Nobody is there, or takes the call. */
  fails(cause: 'unreachable' | 'ring-timeout'): void {
    this.state = 'ended';
    this.emit('ended', { cause });
  }
}

export class FakeRegistration extends Emitter<SipRegistrationEvents> implements SipRegistration {
  readonly options: SipRegistrationOptions;
  state: SipRegistration['state'] = 'registering';
  readonly reason = null;
  serviceRoute: string | null = null;
  refreshed = 0;

  constructor(options: SipRegistrationOptions) {
    super();
    this.options = options;
  }

  becomes(state: SipRegistration['state']): void {
    this.state = state;
    this.emit('changed', state, null);
  }

  refresh(): void {
    this.refreshed++;
  }

  stop(): Promise<void> {
    this.state = 'stopped';
    return Promise.resolve();
  }
}

export class FakeUserAgent extends Emitter<SipUserAgentEvents> implements SipUserAgent {
  readonly ports = { udp: 5060, tcp: 5060, tls: null };
  readonly placed: FakeOutgoingCall[] = [];

  callReplacedBy(): FakeIncomingCall | FakeOutgoingCall | null {
    return this.replaced;
  }

  /** What any Replaces names. */
  replaced: FakeIncomingCall | FakeOutgoingCall | null = null;

  /** By address. */
  readonly registered = new Map<string, SipContact[]>();

  contactsOf(address: string): SipContact[] {
    return this.registered.get(address) ?? [];
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** What probes are answered; by URI. Null: nobody answers. */
  readonly probeAnswers = new Map<string, number | null>();
  readonly probed: string[] = [];

  probe({ to }: SipProbeOptions): Promise<SipProbeResult> {
    this.probed.push(to);
    return Promise.resolve({ statusCode: this.probeAnswers.get(to) ?? null, reason: '', roundTripMs: 1 });
  }

  /** By URI. */
  readonly located = new Map<string, string[]>();

  locate(uri: string): Promise<string[]> {
    return Promise.resolve(this.located.get(uri) ?? []);
  }

  readonly registrations: FakeRegistration[] = [];

  register(options: SipRegistrationOptions): FakeRegistration {
    const registration = new FakeRegistration(options);
    this.registrations.push(registration);
    return registration;
  }

  counts(): { dialogs: number; transactions: number; connections: number } {
    return { dialogs: 0, transactions: 0, connections: 0 };
  }

  call(options: OutgoingSipCallOptions): FakeOutgoingCall {
    const call = new FakeOutgoingCall(options);
    this.placed.push(call);
    return call;
  }
}

/** A REFER of a phone; `said` are its answer and what was told in NOTIFYs. */
export class FakeRefer implements IncomingSipRefer {
  readonly target: string;
  readonly replaces: IncomingSipRefer['replaces'];
  readonly referredBy: string | null = '<sip:boss@198.51.100.7>';
  readonly said: number[] = [];

  constructor(target: string, replaces: IncomingSipRefer['replaces'] = null) {
    this.target = target;
    this.replaces = replaces;
  }

  accept(): void {
    this.said.push(202);
  }

  reject(statusCode: number): void {
    this.said.push(statusCode);
  }

  progress(statusCode: number): void {
    this.said.push(statusCode);
  }
}
