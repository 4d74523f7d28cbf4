import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP, type Server, type Socket } from 'node:net';
import { checkServerIdentity, connect, createSecureContext, createServer, rootCertificates, TLSSocket, type SecureContext, type Server as TlsServer } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.ts';
import { StartupError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipTlsOptions } from '../contract.ts';
import type { StreamKind } from './stream.ts';

/** How often the files are looked at. */
const RELOAD_MS = 30_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const OLDEST = 'TLSv1.2';

interface Identity {
  cert: string;
  key: string;
  certificate: X509Certificate;
  context: SecureContext;
}

/** TLS on top of TCP (RFC 3261 §26.3.1, RFC 5922): shows the certificate for the name that was asked for, takes up changed files while it runs. */
export class Tls implements StreamKind {
  readonly name = 'TLS';
  readonly #options: SipTlsOptions | undefined;
  readonly #clock: Clock;
  readonly #log: Log;
  #identities: Identity[] = [];
  #ca: string[] | null = null;
  #stamp = '';
  readonly #servers = new Set<TlsServer>();
  #timer: Timer | null = null;

  /** Throws StartupError naming the file that cannot be used. */
  constructor(options: SipTlsOptions | undefined, deps: { clock: Clock; log: Log }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#log = deps.log;
    if (!options) return;
    this.#stamp = stampOf(options);
    this.#load(options);
  }

  #load(options: SipTlsOptions): void {
    const ca = options.caFile === undefined ? null : [...rootCertificates, readPem(options.caFile)];
    const identities = options.certificates.map((files) => readIdentity(files, { ca, requireClient: options.requireClientCertificate === true }));
    this.#identities = identities;
    this.#ca = ca;
    this.#refreshDefault();
  }

  /** A file that cannot be used leaves everything as it was. */
  #reload(options: SipTlsOptions): void {
    const stamp = stampOf(options);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      try {
        this.#load(options);
        this.#log.info({}, 'the certificates of SIP over TLS were read again');
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'the certificates of SIP over TLS have changed and cannot be used; those from before stay');
      }
    }
    this.#watch(options);
  }

  #watch(options: SipTlsOptions): void {
    this.#timer = this.#clock.after(RELOAD_MS, () => this.#reload(options));
  }

  listen(accepted: (socket: Socket) => void): Server {
    const requireClient = this.#options?.requireClientCertificate === true;
    const server = createServer(
      {
        minVersion: OLDEST,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        // Who has one may show it: then its connection carries calls to it as well (RFC 5923).
        requestCert: requireClient || this.#options?.caFile !== undefined,
        rejectUnauthorized: requireClient,
        SNICallback: (name, done) => done(null, this.#contextFor(name)),
      },
      accepted,
    );
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      this.#log.debug({ reason: error.message.slice(0, 200), address: socket.remoteAddress ?? '' }, 'a TLS handshake failed');
      socket.destroy();
    });
    this.#servers.add(server);
    this.#refreshDefault();
    if (this.#options && !this.#timer) this.#watch(this.#options);
    server.on('close', () => {
      this.#servers.delete(server);
      if (this.#servers.size === 0) this.#timer?.cancel();
    });
    return server;
  }

  /** Who names no host gets the server's own context, the callback is not asked. */
  #refreshDefault(): void {
    const first = this.#identities[0];
    if (!first) return;
    for (const server of this.#servers) server.setSecureContext({ cert: first.cert, key: first.key, minVersion: OLDEST, ...(this.#ca && { ca: this.#ca }) });
  }

  #contextFor(name: string): SecureContext {
    const found = this.#identities.find(({ certificate }) => certificate.checkHost(name) !== undefined) ?? this.#identities[0];
    return found ? found.context : createSecureContext({});
  }

  isProven(socket: Socket, host: string): boolean {
    return socket instanceof TLSSocket && socket.authorized && checkServerIdentity(host, socket.getPeerCertificate()) === undefined;
  }

  connect({ address, port, host }: { address: string; port: number; host: string }, ready: () => void): Socket {
    const own = this.#identities[0];
    const socket = connect({
      host: address,
      port,
      minVersion: OLDEST,
      // The name that was dialled must be in the certificate, not what DNS made of it (RFC 5922 §7.3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(this.#ca && { ca: this.#ca }),
      ...(own && { cert: own.cert, key: own.key }),
      rejectUnauthorized: this.#options?.verifyServers !== false,
    });
    socket.once('secureConnect', ready);
    return socket;
  }
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartupError(`SIP over TLS cannot read ${file}: ${messageOf(error)}`);
  }
}

function readIdentity(files: { certFile: string; keyFile: string }, clients: { ca: string[] | null; requireClient: boolean }): Identity {
  const [cert, key] = [readPem(files.certFile), readPem(files.keyFile)];
  try {
    const context = createSecureContext({ cert, key, minVersion: OLDEST, ...(clients.ca && { ca: clients.ca }) });
    return { cert, key, certificate: new X509Certificate(cert), context };
  } catch (error) {
    throw new StartupError(`SIP over TLS cannot use ${files.certFile} with ${files.keyFile}: ${messageOf(error)}`);
  }
}

/** Changes when a file does. */
function stampOf({ certificates, caFile }: SipTlsOptions): string {
  const files = [...certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile]), ...(caFile === undefined ? [] : [caFile])];
  return files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).join();
}
