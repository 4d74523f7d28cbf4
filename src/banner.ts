import { privateNetworksOf, type Config } from './config.ts';
import type { Credentials } from './credentials.ts';
import { DEMO_ROOM, demoUri } from './demo-number.ts';
import { shownSipAddress } from './own-addresses.ts';
import { bracket } from './sip/message/uri.ts';

/** Where a running server is reached, and by whom. */
export interface Reachable {
  httpUrl: string;
  sipPort: number;
  /** Null without certificates. */
  sipTlsPort: number | null;
  credentials: Credentials;
}

/** What people see on their terminal once everything listens. */
export function banner(config: Config, server: Reachable, { version, selfTest }: { version: string; selfTest: readonly string[] }): string {
  const { credentials } = server;
  const host = bracket(shownSipAddress(config));
  const lines = [
    '',
    `  Partyline ${version} is ready.`,
    '',
    `  Page         ${config.publicUrl ?? server.httpUrl}${config.demo ? `/      join the room ${DEMO_ROOM}` : ''}`,
    `  Signaling    ${server.httpUrl.replace(/^http/, 'ws')}/signaling`,
    `  SIP          ${host}:${server.sipPort}  UDP and TCP${server.sipTlsPort === null ? '' : `, TLS on ${server.sipTlsPort}`}; ${server.httpUrl.replace(/^http/, 'ws')}/sip for browsers`,
    `  Media        UDP ${config.rtpPorts.min}-${config.rtpPorts.max} (phones), ${config.webrtcPort}${config.mediaWorkers > 1 ? `-${config.webrtcPort + config.mediaWorkers - 1}` : ''} (browsers), ${config.mediaWorkers} worker(s)`,
    `  Webhooks     ${privateNetworksText(privateNetworksOf(config))}`,
    ...selfTest,
    '',
    `  Account SID  ${credentials.accountSid}`,
    `  Auth token   ${credentials.authToken}`,
    `  API key      ${credentials.apiKeySid}`,
    `  API secret   ${credentials.apiKeySecret}`,
    `               kept in ${config.dataDir}/credentials.json`,
  ];
  if (config.demo) lines.push('', `  Dial         ${demoUri(config, server.sipPort)}`, `  or run       npx partyline call ${config.demoNumber}${server.sipPort === 5060 ? '' : ` --server ${host}:${server.sipPort}`}`);
  return `${lines.join('\n')}\n\n`;
}

function privateNetworksText(networks: ReturnType<typeof privateNetworksOf>): string {
  if (networks === 'allow') return 'may lead anywhere, into private networks too';
  return networks === 'deny' ? 'into private networks are refused (PARTYLINE_WEBHOOK_PRIVATE_NETWORKS)' : `into private networks are refused but for ${networks.join(', ')}`;
}
