import { z } from 'zod';
import { TwilioError } from '../base/errors.ts';
import { readBandwidthProfile } from './media-signaling/bandwidth-profile.ts';

/** What browsers send (rsp §3), read leniently: unknown members are dropped, what we rely on is bounded. */

const revision = z.number().int().min(0).max(0x7fffffff);
const shortText = z.string().max(512);

const trackShape = z.object({
  id: shortText.min(1),
  kind: z.enum(['audio', 'video', 'data']),
  /** Any length: what is too long becomes a failed publication, not a lost connection. */
  name: z.string().default(''),
  enabled: z.boolean().default(true),
  priority: z.enum(['low', 'standard', 'high']).nullish().catch(null),
});
export type ClientTrack = z.infer<typeof trackShape>;

const participantShape = z.object({
  revision,
  tracks: z.array(trackShape).max(256).default([]),
  /** `recordings`: it wants to know when a recording of its tracks lacks media. */
  media_warnings: z.array(shortText).max(16).nullish().catch(null),
});
export type ClientParticipant = z.infer<typeof participantShape>;

const descriptionShape = z.object({ type: z.string().max(32), revision: revision.default(0), sdp: z.string().nullish() });
export type ClientDescription = z.infer<typeof descriptionShape>;

const peerConnectionShape = z.object({ id: shortText.min(1), description: descriptionShape.nullish(), ice: z.unknown().optional() });
export type ClientPeerConnection = z.infer<typeof peerConnectionShape>;

const peerConnections = z.array(peerConnectionShape).max(8);
const token = z.string().max(20_000);

/** Throws 53208 out of the whole reading. */
const bandwidthProfile = z.unknown().transform(readBandwidthProfile).optional();

const iceShape = z.object({ type: z.literal('ice'), token });
const connectShape = z.object({
  type: z.literal('connect'),
  name: z.string().nullish(),
  token,
  participant: participantShape,
  peer_connections: peerConnections.min(1),
  /** Channels the browser wants, by name (rsp §5). */
  media_signaling: z.record(z.string().max(64), z.unknown()).nullish().catch(null),
  bandwidth_profile: bandwidthProfile,
  subscribe: z.object({ rules: z.array(z.object({ type: z.enum(['include', 'exclude']), all: z.boolean().optional() })).max(20) }).nullish(),
});
const syncShape = z.object({ type: z.literal('sync'), token, session: shortText, participant: participantShape.nullish(), peer_connections: peerConnections.default([]) });
const updateShape = z.object({ type: z.literal('update'), participant: participantShape.nullish(), peer_connections: peerConnections.nullish(), bandwidth_profile: bandwidthProfile });
const disconnectShape = z.object({ type: z.literal('disconnect') });

const messageShape = z.discriminatedUnion('type', [iceShape, connectShape, syncShape, updateShape, disconnectShape]);
export type ClientMessage = z.infer<typeof messageShape>;
export type ConnectMessage = z.infer<typeof connectShape>;
export type SyncMessage = z.infer<typeof syncShape>;
export type UpdateMessage = z.infer<typeof updateShape>;

/** Reads one message. Throws TwilioError 53004 for what is none. */
export function readClientMessage(body: unknown): ClientMessage {
  const read = messageShape.safeParse(body);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw new TwilioError(53004, `Client sent an invalid message${issue ? ` (${issue.path.join('.')}: ${issue.message})` : ''}`.slice(0, 300));
}

/** `automaticSubscription: false` arrives as a rule that excludes all. */
export function subscribesToAll(message: ConnectMessage): boolean {
  return !message.subscribe?.rules.some((rule) => rule.type === 'exclude' && rule.all === true);
}
