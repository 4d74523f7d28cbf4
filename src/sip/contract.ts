import type { Emitter } from '../base/emitter.ts';
import type { DoorOptions, RefusalAtDoor } from './defence/door.ts';
import type { WebSocketUpgrade } from './transport/upgrade.ts';

/** What voice/ and cli/ see of sip/: a user agent that takes and places calls. Bodies are opaque bytes. */

/** `ws`: a WebSocket, with or without TLS (RFC 7118). */
export type SipTransportName = 'udp' | 'tcp' | 'tls' | 'ws';

/** The ports really bound (useful with port 0). */
export interface SipPorts {
  udp: number;
  tcp: number;
  /** Null without certificates. */
  tls: number | null;
}

export interface SipUserAgentEvents {
  /** A new INVITE outside a dialog that passed the checks of the message and transaction layers. 100 was sent. */
  incomingCall: [call: IncomingSipCall];
  /** A REGISTER. Without a listener, or when it leaves the request unanswered, the answer is 403. */
  registering: [register: IncomingSipRegister];
}

export interface SipUserAgent extends Emitter<SipUserAgentEvents> {
  /** Binds the sockets; rejects with StartupError naming the address when one is taken. */
  start(): Promise<void>;
  readonly ports: SipPorts;
  /** Sends an INVITE. The call is returned at once; failures arrive as `ended`, a URI or header that cannot be sent as `rejected` with 400. */
  call(options: OutgoingSipCallOptions): OutgoingSipCall;
  /** The call that a Replaces names, seen from us; null for none that lives. */
  callReplacedBy(replaces: Readonly<SipReplaces>): IncomingSipCall | OutgoingSipCall | null;
  /** Phones registered under an address that `IncomingSipRegister.accept` was given, most wanted first. */
  contactsOf(address: string): SipContact[];
  /** Asks by OPTIONS whether anybody is there. Rejects with SipError for a URI that is none. */
  probe(options: SipProbeOptions): Promise<SipProbeResult>;
  /** Addresses of the servers behind a SIP URI (RFC 3263), at most eight; none for what is no URI or leads nowhere. */
  locate(uri: string): Promise<string[]>;
  /** Keeps us registered there until `stop`. Throws SipError for a URI or name that cannot be sent. */
  register(options: SipRegistrationOptions): SipRegistration;
  /** Live dialogs and transactions; all 0 when nothing leaks. */
  counts(): { dialogs: number; transactions: number; connections: number };
  /** Ends what is left (BYE, CANCEL, 503), closes sockets. */
  stop(): Promise<void>;
}

export interface SipProbeOptions {
  to: string;
  /** Default: our own address. */
  from?: string;
  outboundProxy?: string;
  /** Default 4000. */
  timeoutMs?: number;
}

export interface SipProbeResult {
  /** Of the final answer; null: there was none. */
  statusCode: number | null;
  /** Of the answer, or why there is none. */
  reason: string;
  roundTripMs: number;
}

export interface SipRegistrationOptions {
  /** `sip:carrier.example`, with port and transport where they are needed. */
  registrar: string;
  /** The address that is registered. Default: the user name at the registrar's host. */
  address?: string;
  credentials: { username: string; password: string };
  /** User part of our Contact, which the carrier calls us by. Default: the user name. */
  contactUser?: string;
  /** Default 600. */
  expiresS?: number;
  outboundProxy?: string;
}

export type SipRegistrationState = 'registering' | 'registered' | 'failed' | 'stopped';

/** `failed` is no end: it is tried again, with pauses that grow. */
export interface SipRegistration extends Emitter<SipRegistrationEvents> {
  readonly options: SipRegistrationOptions;
  readonly state: SipRegistrationState;
  /** Why it failed. */
  readonly reason: string | null;
  /** The way that the registrar wants our calls to take (RFC 3608): values of a Route, loose routers all, as `outboundProxy` takes them. Null: none, or we are not registered. */
  readonly serviceRoute: string | null;
  /** Now instead of later. */
  refresh(): void;
  /** Takes our address away there; resolves when that is answered, or after 1.5 s. */
  stop(): Promise<void>;
}

export interface SipRegistrationEvents {
  changed: [state: SipRegistrationState, reason: string | null];
}

/** A user agent that browsers reach too, through the HTTP server of somebody else. */
export interface SipServer extends SipUserAgent {
  /** Messages that were not read since the start, by why. */
  readonly refusedAtDoor: Readonly<Record<RefusalAtDoor, number>>;
  /** Takes over a WebSocket upgrade with the subprotocol `sip`; false for any other, untouched. */
  handleUpgrade(...upgrade: WebSocketUpgrade): boolean;
  /** The phones that are registered, as JSON that `restoreRegistrations` takes after a restart. */
  savedRegistrations(): unknown;
  /** Takes up what an earlier run saved; what is not of that kind, or has run out, is left out. */
  restoreRegistrations(saved: unknown): void;
}

export interface OutgoingSipCallOptions {
  /** Request-URI, `sip:user@host:port;transport=tcp`. URI headers (`?X-Foo=bar`) become headers of the INVITE. */
  to: string;
  /** From URI, `sip:+1555…@host`. */
  from: string;
  fromDisplayName?: string;
  /** Sent as next hop instead of the URI's host: `sip:host:port;transport=udp`; or `<sip:a;lr>,<sip:b;lr>`, loose routers one after the other. */
  outboundProxy?: string;
  body: Uint8Array;
  contentType: string;
  /** Extra headers; names and values are checked against header injection. */
  headers?: [name: string, value: string][];
  /** For a 401/407 challenge. */
  credentials?: { username: string; password: string };
  /** CANCEL after this time without a final answer, ended with cause `ring-timeout`. Default 180000. */
  ringTimeoutMs?: number;
  /** Asked for each address before an INVITE is sent there, after DNS. Where none may be reached, the call ends as `unreachable` (Address Not Allowed). Default: all may. */
  mayReach?: (place: SipPlace) => boolean;
  /** A server that answers nothing at all for so long, not even 100, is given up for the next one of its name. Default 32000 (timer B). */
  silenceTimeoutMs?: number;
}

/** A socket of somebody's; `address` is a name only where nobody resolves names. */
export interface SipPlace {
  address: string;
  port: number;
}

/** What is kept of the passwords of a user (`makeDigestSecret`); none for a stranger, several for a user of several lists. */
export type SipSecretLookup = (username: string) => readonly { md5: string; sha256: string }[];

/** Whether a request proved its sender (Digest). When not, it was answered already: 401 or 407 asked for proof, 403 refused it. */
export type SipAuthentication = { verified: true; username: string } | { verified: false; reason: 'asked' | 'wrong' | 'limited'; username: string | null };

export interface IncomingSipRegister {
  readonly requestUriHost: string;
  /** The address-of-record that is registered. */
  readonly to: SipParty;
  readonly source: SipSource;
  /** Whether it was answered. */
  readonly answered: boolean;
  authenticate(secretsOf: SipSecretLookup): SipAuthentication;
  /** Binds its contacts to `address`, any text of the listener's choice, and answers (RFC 3261 §10.3). */
  accept(address: string): void;
  reject(statusCode: number, reasonPhrase?: string): void;
}

/** A registered phone: both go into `call` as they are. */
export interface SipContact {
  /** Its Contact, for `to`. */
  uri: string;
  /** As of `OutgoingSipCallOptions`. */
  outboundProxy: string;
}

/** Why a SIP call is over. */
export interface SipEnding {
  cause:
    /** BYE from the other side. */
    | 'remote-bye'
    /** CANCEL from the other side before we answered. */
    | 'remote-cancel'
    /** Final non-2xx answer to our INVITE; `statusCode` tells. */
    | 'rejected'
    /** hangup() or reject() of ours. */
    | 'local'
    /** Our CANCEL because nobody answered in ringTimeoutMs. */
    | 'ring-timeout'
    /** No ACK within 32 s of our 200 (RFC 3261 §13.3.1.4), or no PRACK for a provisional answer (RFC 3262 §3). */
    | 'ack-timeout'
    /** Timer B/F or a transport error: the other side is unreachable. */
    | 'unreachable'
    /** A re-INVITE or UPDATE of ours got 481/408, or nothing: the other side lost the dialog. */
    | 'dialog-lost'
    /** Nobody refreshed the session in time (RFC 4028 §10). */
    | 'session-expired'
    | 'server-stopped';
  statusCode?: number;
  reasonPhrase?: string;
  /** Reason header (RFC 3326) as it came. */
  reason?: string;
}

export interface SipSource {
  transport: SipTransportName;
  address: string;
  port: number;
}

/** Common to both directions, after the first INVITE. */
export interface SipCallEvents {
  /** The dialog is confirmed on both sides: ACK received (incoming) or sent (outgoing). `body` is an answer carried by ACK, if any. */
  confirmed: [body: SipBody | null];
  /**
   * Re-INVITE (UPDATE or PRACK with a body) inside the dialog, in early dialogs too once their first offer has its answer. Answer by `respond` exactly once. `body` null: an offer-less
   * re-INVITE, respond with an offer; its answer arrives by `reofferAnswered`.
   */
  reoffered: [body: SipBody | null, respond: (answer: ReofferAnswer) => void];
  reofferAnswered: [body: SipBody | null];
  /** SIP INFO, answered with 200 by the user agent. */
  infoReceived: [body: SipBody | null];
  /** REFER inside the dialog (RFC 3515). Answered with 603 when nobody listens, or nobody has answered it when all have heard it. */
  referReceived: [refer: IncomingSipRefer];
  /** Last event, exactly once. */
  ended: [ending: SipEnding];
}

export interface SipBody {
  contentType: string;
  bytes: Uint8Array;
}

export type ReofferAnswer = { statusCode: 200; body: SipBody } | { statusCode: 488 | 491 | 500; reasonPhrase?: string };

export interface SipCallBase<E extends SipCallEvents & { [K in keyof E]: unknown[] }> extends Emitter<E> {
  /** Call-ID header. */
  readonly callId: string;
  /** Where the other side's packets come from. */
  readonly source: SipSource;
  readonly state: 'early' | 'accepted' | 'confirmed' | 'ended';
  /** BYE (or CANCEL / 487-603 before the answer). `reason` becomes a Reason header. Idempotent. */
  hangup(options?: { reason?: string }): void;
  /**
   * Offers the session anew (re-INVITE; in an early dialog UPDATE). `answered` comes once, unless the call ends first: a 2xx
   * and the answer, or why there is none. 481: not now. Offers of both sides at once are sent again after a while (491). No
   * answer, or 481 from the other side, ends the call as `dialog-lost`.
   */
  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void;
  /**
   * Asks the other side to call somebody else (REFER, RFC 3515). `referTo` is a SIP URI, its headers become those of the new
   * call. Throws SipError for any other text. A dialog that is not confirmed answers 481. The watcher hears nothing after
   * the call ended.
   */
  refer(referTo: string, watcher: SipReferWatcher): void;
}

/** The other side asks us to call somebody else in its place. */
export interface IncomingSipRefer {
  /** Refer-To: `sip:…` without headers, or `tel:…`. */
  readonly target: string;
  /** The dialog that its call would take the place of (RFC 3891), as the target sees it. */
  readonly replaces: Readonly<SipReplaces> | null;
  /** Referred-By (RFC 3892) as it came. */
  readonly referredBy: string | null;
  /** 202, and a NOTIFY of 100. To be done before the listener of `referReceived` returns, or never. */
  accept(): void;
  reject(statusCode: number, reasonPhrase?: string): void;
  /** How the new call goes, by NOTIFY; from 200 on it is the last word. Says nothing once the dialog is over. */
  progress(statusCode: number): void;
}

export interface SipReplaces {
  callId: string;
  /** Tag of the side that the INVITE goes to. */
  toTag: string;
  fromTag: string;
  /** Only while that dialog is not answered. */
  earlyOnly: boolean;
}

export interface SipReferWatcher {
  /** Final answer to the REFER, 408 and 503 when none came. From 300 on it is the last that is heard. */
  answered(statusCode: number): void;
  /** How the new call goes; `statusCode` null: nothing that could be read. After `final` nothing more is heard. */
  notified(news: { statusCode: number | null; final: boolean }): void;
}

export interface IncomingSipCall extends SipCallBase<SipCallEvents> {
  /** Request-URI, verbatim. */
  readonly requestUri: string;
  readonly requestUriUser: string;
  readonly requestUriHost: string;
  readonly from: SipParty;
  readonly to: SipParty;
  /** The offer; null for an INVITE without a body. */
  readonly body: SipBody | null;
  /** The call of ours whose place it wants to take (RFC 3891): one that lives. */
  readonly replaces: IncomingSipCall | OutgoingSipCall | null;
  /** All values of a header, in order; names compare case-insensitively and compact forms are known. */
  header(name: string): string[];
  /** All headers as they came, for SipHeader_X-… parameters. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Asks for proof by Digest (407). Unless it is verified the call is refused thereby, with or without a new challenge. */
  authenticate(secretsOf: SipSecretLookup): SipAuthentication;
  /**
   * 180 (default) or 183 with early media. May be repeated. Goes reliably (RFC 3262) where the caller insists, or where it
   * knows that and there is a body: then the first body is the answer, also of `accept`. An INVITE without an offer gets none.
   */
  ring(options?: { statusCode?: 180 | 183; body?: SipBody }): void;
  /** 200 with the answer, or with an offer when `body` was null. Retransmitted until ACK. */
  accept(options: { body: SipBody }): void;
  /** Final non-2xx. */
  reject(statusCode: number, reasonPhrase?: string, headers?: [name: string, value: string][]): void;
}

export interface SipParty {
  displayName: string;
  uri: string;
  user: string;
  host: string;
}

export interface OutgoingSipCallEvents extends SipCallEvents {
  /** 180 or 183 and the like (not 100). */
  progressed: [statusCode: number, body: SipBody | null];
  /** 2xx: the answer. ACK is sent by the user agent. */
  accepted: [body: SipBody | null];
}

export interface OutgoingSipCall extends SipCallBase<OutgoingSipCallEvents> {
  /** Headers of the final answer to the INVITE, as they came; none before it, nor when there was none. */
  readonly answerHeaders: ReadonlyArray<readonly [name: string, value: string]>;
}

export interface SipTlsOptions {
  /** 0 takes a free one; absent: nobody connects to us. */
  port?: number;
  /** PEM files, each certificate with its chain. The first is shown to whoever names no host that another one is for (SNI). Read again when they change. */
  certificates: readonly { certFile: string; keyFile: string }[];
  /** PEM file of more certification authorities that are believed. */
  caFile?: string;
  /** Only who shows a certificate of an authority that is believed may connect. Default false. */
  requireClientCertificate?: boolean;
  /** False: servers that we connect to need no valid certificate. Default true. */
  verifyServers?: boolean;
}

export interface SipUserAgentOptions {
  /** Addresses that UDP, TCP and TLS bind to. */
  bindAddress: string | readonly string[];
  /** One port number for UDP and TCP; 0 takes free ones. */
  port: number;
  /** SIP over TLS. Absent: only outwards, with the certification authorities that Node knows. */
  tls?: SipTlsOptions;
  /** Which of our addresses a peer (address or host name) is told in Via and Contact. Default: the one that is bound. */
  addressFor?: (peer: string) => string;
  /** Server and User-Agent header. */
  product: string;
  /** Digest algorithms to offer, most wanted first. Default MD5 alone: phones give up on a list that begins with one they do not know. */
  digestAlgorithms?: readonly ('MD5' | 'SHA-256')[];
  /** How often registered phones behind NAT get an OPTIONS over UDP, so that their NAT stays open. 0: never. Default 30000. */
  natKeepAliveMs?: number;
  /** Session interval that calls ask for, s (RFC 4028): each side finds out in that time when the other is gone. Default 1800; 0 asks for none, and still keeps to what others ask. */
  sessionIntervalS?: number;
  /** Who is read and who is not, by the source of a message alone. Default: everybody is. */
  door?: DoorOptions;
  /** Called for an INVITE before `incomingCall`, to refuse cheaply: overload (503) or unknown domain. */
  admit?: (request: { requestUri: string; source: SipSource }) => { statusCode: number; reasonPhrase?: string; headers?: [string, string][] } | null;
}
