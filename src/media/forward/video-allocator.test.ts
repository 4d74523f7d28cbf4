import { describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import type { VideoPolicy, VideoWish } from '../protocol.ts';
import { VideoAllocator } from './video-allocator.ts';
import type { VideoRequest } from './video-allocator.ts';

const [A, B, C] = [newSid('MT'), newSid('MT'), newSid('MT')];
const LAYERS = [
  { bps: 100_000, width: 320, height: 180 },
  { bps: 400_000, width: 640, height: 360 },
  { bps: 1_500_000, width: 1280, height: 720 },
];

const video = (trackSid: VideoRequest['trackSid'], more: Partial<VideoRequest> = {}): VideoRequest => ({ trackSid, layers: LAYERS, speaking: false, ...more });
const wish = (trackSid: VideoRequest['trackSid'], more: Partial<VideoWish> = {}): VideoWish => ({ trackSid, priority: 'standard', enabled: true, renderDimensions: null, ...more });
const policy = (more: Partial<VideoPolicy> = {}): VideoPolicy => ({ maxBitrateBps: null, maxTracks: null, mode: 'grid', switchOff: 'predicted', wishes: [], ...more });

/** Limits per video, for a fresh allocator or the given one. */
function limits(requests: VideoRequest[], given: { policy?: VideoPolicy | null; pathBps?: number | null; congested?: boolean; nowMs?: number; allocator?: VideoAllocator }): number[] {
  const { allocator = new VideoAllocator(), pathBps = null, congested = false, nowMs = 0 } = given;
  return allocator.allocate(requests, { policy: given.policy ?? null, budget: { pathBps, congested, sustained: congested }, nowMs }).grants.map((grant) => grant.limit);
}

describe('without a policy', () => {
  it('all get their best while nobody knows the path', () => expect(limits([video(A), video(B)], {})).toEqual([2, 2]));
  it('rise in turns with what the path carries', () => expect(limits([video(A), video(B), video(C)], { pathBps: 1_000_000 })).toEqual([1, 1, 0]));
  it('nothing is switched off', () => expect(limits([video(A), video(B)], { pathBps: 10_000, congested: true })).toEqual([0, 0]));
  it('a video of one layer goes whatever it costs', () => expect(limits([video(A, { layers: [LAYERS[2]!] })], { pathBps: 100_000 })).toEqual([0]));
});

describe('a policy', () => {
  it('keeps to its own limit of bit rate', () => {
    expect(limits([video(A)], { policy: policy({ maxBitrateBps: 500_000 }), pathBps: 10_000_000 })).toEqual([1]);
    expect(limits([video(A), video(B)], { policy: policy({ maxBitrateBps: 150_000 }) })).toEqual([0, -1]);
  });

  it('sends what is shown, and of it the most important up to maxTracks', () => {
    const wishes = [wish(A, { enabled: false, priority: 'high' }), wish(C, { priority: 'high' })];
    expect(limits([video(A), video(B), video(C)], { policy: policy({ wishes }) })).toEqual([-1, 2, 2]);
    expect(limits([video(A), video(B), video(C)], { policy: policy({ wishes, maxTracks: 1 }) })).toEqual([-1, -1, 2]);
  });

  it('among equals takes the one that is wished for first', () => {
    const given = { policy: policy({ maxTracks: 1, wishes: [wish(B), wish(A)] }) };
    expect(limits([video(C), video(A), video(B)], given)).toEqual([-1, -1, 2]);
  });

  it('grid rises in turns, collaboration keeps all and raises the first, presentation serves the first', () => {
    const wishes = [wish(A, { priority: 'low' }), wish(B, { priority: 'high' })];
    const at = (mode: VideoPolicy['mode'], pathBps: number): number[] => limits([video(A), video(B)], { policy: policy({ mode, wishes }), pathBps });
    expect([at('grid', 1_000_000), at('collaboration', 1_000_000), at('presentation', 1_000_000)]).toEqual([[1, 1], [1, 1], [1, 1]]);
    expect([at('grid', 1_650_000), at('collaboration', 1_650_000), at('presentation', 1_550_000)]).toEqual([[1, 1], [0, 2], [-1, 2]]);
  });

  it('who speaks ranks higher, but not in a presentation', () => {
    const requests = [video(A), video(B, { speaking: true })];
    expect(limits(requests, { policy: policy({ maxTracks: 1 }) })).toEqual([-1, 2]);
    expect(limits(requests, { policy: policy({ maxTracks: 1, mode: 'presentation' }) })).toEqual([2, -1]);
  });

  it('switches off as soon as the estimate does not do, or once congestion is measured, or never', () => {
    const at = (switchOff: VideoPolicy['switchOff'], congested: boolean): number[] => limits([video(A), video(B)], { policy: policy({ switchOff }), pathBps: 120_000, congested });
    expect([at('predicted', false), at('detected', false), at('detected', true), at('disabled', true)]).toEqual([[0, -1], [0, 0], [0, -1], [0, 0]]);
  });

  it('takes the smallest layer that covers the place, as the sizes are', () => {
    const at = (width: number, height: number, layers = LAYERS): number[] => limits([video(A, { layers })], { policy: policy({ wishes: [wish(A, { renderDimensions: { width, height } })] }) });
    expect([at(160, 90), at(320, 180), at(340, 192), at(400, 225), at(4000, 3000)]).toEqual([[0], [0], [0], [1], [2]]);
    // A portrait place shows a landscape picture as wide as it is.
    expect(at(300, 900)).toEqual([0]);
    expect(at(100, 100, LAYERS.map((layer) => ({ ...layer, width: 640, height: 360 }))), 'layers that differ in rate only').toEqual([2]);
    expect(at(100, 100, LAYERS.map((layer) => ({ ...layer, width: 0, height: 0 }))), 'sizes unknown').toEqual([2]);
  });
});

describe('over time', () => {
  it('what fits is kept, what rises needs a reserve', () => {
    const allocator = new VideoAllocator();
    const at = (pathBps: number, nowMs: number): number[] => limits([video(A)], { allocator, policy: policy(), pathBps, nowMs });
    expect([at(410_000, 0), at(405_000, 200), at(1_510_000, 400), at(1_700_000, 600), at(1_510_000, 800)]).toEqual([[1], [1], [1], [2], [2]]);
  });

  it('what fell stays down for 2 s, unless it becomes more important', () => {
    const allocator = new VideoAllocator();
    const at = (pathBps: number, nowMs: number, speaking = false): number[] => limits([video(A, { speaking })], { allocator, policy: policy(), pathBps, congested: pathBps < 1_000_000, nowMs });
    expect([at(2_000_000, 0), at(500_000, 1000), at(2_000_000, 1200), at(2_000_000, 2900), at(2_000_000, 3100)]).toEqual([[2], [1], [1], [1], [2]]);
    expect([at(500_000, 5000), at(2_000_000, 5200), at(2_000_000, 5400, true)]).toEqual([[1], [1], [2]]);
  });

  it('what is on its way stays while the path is not found full, and is switched off by no single alarm', () => {
    const allocator = new VideoAllocator();
    const growing = (bps: number, congested: boolean, sustained: boolean): number =>
      allocator.allocate([video(A, { layers: [{ ...LAYERS[0]!, bps }] })], { policy: policy(), budget: { pathBps: 1_000_000, congested, sustained }, nowMs: 0 }).grants[0]!.limit;
    expect([growing(500_000, false, false), growing(2_000_000, false, false), growing(2_000_000, true, false), growing(2_000_000, true, true)]).toEqual([0, 0, 0, -1]);
  });

  it('a video that is shown larger gets its layer at once', () => {
    const allocator = new VideoAllocator();
    const at = (width: number, nowMs: number): number[] =>
      limits([video(A)], { allocator, policy: policy({ wishes: [wish(A, { renderDimensions: { width, height: 9999 } })] }), pathBps: 5_000_000, nowMs });
    expect([at(1280, 0), at(320, 100), at(1280, 200)]).toEqual([[2], [0], [2]]);
  });

  it('does not flap while the estimate swings by a tenth', () => {
    const allocator = new VideoAllocator();
    let changes = 0;
    let before: number[] = [];
    for (let i = 0; i < 300; i++) {
      const pathBps = 1_700_000 * (1 + 0.1 * Math.sin(i / 7));
      const now = limits([video(A), video(B)], { allocator, policy: policy(), pathBps, nowMs: i * 200 });
      if (i > 0 && now.join() !== before.join()) changes++;
      before = now;
    }
    expect(changes).toBeLessThanOrEqual(1);
  });

  it('says what would do for the rest, but not for what the policy itself withholds', () => {
    const missing = (more: Partial<VideoPolicy>): number =>
      new VideoAllocator().allocate([video(A)], { policy: policy(more), budget: { pathBps: 450_000, congested: false, sustained: false }, nowMs: 0 }).missingBps;
    expect([missing({}), missing({ maxBitrateBps: 500_000 }), missing({ wishes: [wish(A, { renderDimensions: { width: 640, height: 360 } })] })]).toEqual([1_100_000, 0, 0]);
  });
});
