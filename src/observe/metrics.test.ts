import { expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { createMetrics, type BrowserReport, type MetricSources } from './metrics.ts';
import { serveMetrics } from './metrics-server.ts';

const report: BrowserReport = { durationS: 60, path: 'relay/udp', meanRoundTripMs: 30, audioLoss: 0.03, videoLoss: null, maxAudioJitterMs: 12, stalls: 2, reconnections: 1, limitedByCpu: 0, limitedByBandwidth: 3 };
const sources: MetricSources = { calls: () => 3, sipRefused: () => ({ rate: 7 }), sipOpen: () => ({ dialogs: 4, transactions: 9, connections: 1 }), carriers: () => ({ targets: { healthy: 2, unhealthy: 1 }, registrations: { registering: 0, registered: 1, failed: 0 } }), rooms: () => 2, participants: () => ({ browser: 4, phone: 5 }), workers: () => Promise.resolve([{ userMs: 1500, systemMs: 500, rssBytes: 1000, lateMs: 500 }]) };

it('are served as text: what goes on now, and how it was for browsers', async () => {
  const metrics = createMetrics(sources);
  metrics.browserReported(report);
  metrics.browserReported({ ...report, path: 'evil"} 1\nx{a="' });
  const server = await serveMetrics(metrics, { address: '127.0.0.1', port: 0 }, { log: silentLog });
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const lines = (await answer.text()).split('\n');
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  for (const line of [
    'partyline_calls 3',
    'partyline_sip_refused_total{reason="rate"} 7',
    'partyline_rooms 2',
    'partyline_participants{medium="browser"} 4',
    'partyline_participants{medium="phone"} 5',
    'partyline_trunk_targets{state="unhealthy"} 1',
    'partyline_sip_registrations{state="registered"} 1',
    'partyline_media_cpu_seconds{worker="0"} 2',
    'partyline_media_late_seconds{worker="0"} 0.5',
    'partyline_browser_sessions_total{path="relay/udp"} 1',
    'partyline_browser_sessions_total{path="unknown"} 1',
    'partyline_browser_audio_loss_ratio_bucket{le="0.02"} 0',
    'partyline_browser_audio_loss_ratio_bucket{le="0.05"} 2',
    'partyline_browser_video_loss_ratio_count 0',
    'partyline_browser_video_limited_total{by="bandwidth"} 6',
  ]) expect(lines).toContain(line);
  expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(404);
  await server.close();
});

it('tell nothing rather than something when a worker has just died', async () => {
  const metrics = createMetrics({ ...sources, workers: () => Promise.reject(new RangeError('gone')) });
  const server = await serveMetrics(metrics, { address: '127.0.0.1', port: 0 }, { log: silentLog });
  expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(500);
  await server.close();
});

it('a taken port is told by its number', async () => {
  const metrics = createMetrics(sources);
  const server = await serveMetrics(metrics, { address: '127.0.0.1', port: 0 }, { log: silentLog });
  await expect(serveMetrics(metrics, { address: '127.0.0.1', port: server.port }, { log: silentLog })).rejects.toThrow(`127.0.0.1:${server.port}`);
  await server.close();
});
