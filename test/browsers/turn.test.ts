import { beforeAll, describe, expect, it } from 'vitest';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { startCoturn, type Coturn } from '../peers/coturn.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Browsers that reach media through a TURN server only, by the credentials that this server makes: coturn's use-auth-secret.

const cast = new Cast();
const SECRET = 'what the two servers share';
const ANNA_HZ = 440;
const BEN_HZ = 620;
const TTL_S = 7200;
let coturn: Coturn;
let stage: Stage;
let browser: Browser;
let anna: Party;

beforeAll(async () => {
  coturn = await cast.add('coturn', startCoturn(SECRET));
  stage = await Stage.open(cast, { env: { PARTYLINE_TURN_URLS: coturn.urls, PARTYLINE_TURN_SECRET: SECRET, PARTYLINE_TURN_TTL: String(TTL_S) } });
  browser = await cast.add('browser', Browser.start());
  anna = await browser.party('anna');
}, 60_000);

interface Path {
  servers: { urls: string[]; username?: string }[];
  /** Of the pair in use. */
  localType: string;
  /** How the relay is reached, of all candidates. */
  relayProtocols: string[];
  localTypes: string[];
}

/** How the page's connection reaches the server; null while it does not. */
function pathOf(page: Party): Promise<Path | null> {
  return page.page.evaluate(async () => {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const [connection] = (globalThis as any).peerConnections;
    if (connection === undefined) return null;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const rows: any[] = [...(await connection.getStats()).values()];
    const transport = rows.find((row) => row.type === 'transport');
    const pair = rows.find((row) => row.id === transport?.selectedCandidatePairId);
    const locals = rows.filter((row) => row.type === 'local-candidate');
    if (pair === undefined) return null;
    return {
      servers: connection.getConfiguration().iceServers,
      localType: locals.find((row) => row.id === pair.localCandidateId)?.candidateType,
      relayProtocols: [...new Set(locals.map((row) => row.relayProtocol))].sort(),
      localTypes: [...new Set(locals.map((row) => row.candidateType))],
    };
  });
}

describe('a browser that may use nothing but the relay', () => {
  it('joins, sees and hears through it, and is heard', async () => {
    const ben = await browser.party('ben');
    await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: 'Relayed', toneHz: ANNA_HZ, video: true, options: { iceTransportPolicy: 'relay' } });
    await ben.join({ token: stage.server.token('ben'), wsServer: stage.server.wsUrl, roomName: 'Relayed', toneHz: BEN_HZ, video: true });
    await Promise.all([anna.waitHears('ben', BEN_HZ), ben.waitHears('anna', ANNA_HZ)]);
    for (const page of [anna, ben]) await waitUntil(async () => (await page.rtp()).some((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 5), { what: `pictures at ${page.name}` });
    const path = await waitUntil(async () => pathOf(anna), { what: 'the candidate pair in use' });
    expect(path).toMatchObject({ localType: 'relay', localTypes: ['relay'] });
    // Both URLs took the credentials.
    await waitUntil(async () => (await pathOf(anna))?.relayProtocols.join() === 'tcp,udp', { what: 'relays by UDP and by TCP' });
  });

  it('has a user name of its own that names nobody and ends in time', async () => {
    const path = await pathOf(anna);
    expect(path?.servers).toHaveLength(1);
    expect(path?.servers[0]?.urls.join()).toBe(coturn.urls);
    const [expiry = '', label] = path?.servers[0]?.username?.split(':') ?? [];
    expect(label).toMatch(/^[0-9a-f]{12}$/);
    const leftS = Number(expiry) - Date.now() / 1000;
    expect(leftS).toBeGreaterThan(TTL_S - 60);
    expect(leftS).toBeLessThanOrEqual(TTL_S);
    expect(stage.server.log()).not.toContain(SECRET);
  });

  it('runPreflight of the SDK succeeds', async () => {
    const result = await anna.page.evaluate(
      ({ token, wsServer }) =>
        new Promise<{ error: string | null; progress: string[]; relay: string | undefined }>((resolve) => {
          // eslint-disable-next-line @typescript-eslint/no-explicit-any
          const test = (globalThis as any).Twilio.Video.runPreflight(token, { wsServer, duration: 1000 });
          const progress: string[] = [];
          test.on('progress', (name: string) => progress.push(name));
          // eslint-disable-next-line @typescript-eslint/no-explicit-any
          test.on('completed', (report: any) => resolve({ error: null, progress, relay: report.selectedIceCandidatePairStats?.localCandidate.candidateType }));
          test.on('failed', (error: unknown) => resolve({ error: String(error), progress, relay: undefined }));
        }),
      { token: stage.server.token('tester'), wsServer: stage.server.wsUrl },
    );
    expect(result).toMatchObject({ error: null, relay: 'relay' });
    expect(result.progress).toEqual(expect.arrayContaining(['connected', 'iceConnected', 'mediaStarted']));
  });
});
