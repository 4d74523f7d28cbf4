import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { MediaPlane } from '../media/protocol.ts';
import { PHONE_CODECS, type PhoneCodecName } from '../sdp/phone-codecs.ts';
import type { PhoneSrtpPolicy } from '../sdp/phone-security.ts';
import type { SipPlace, SipUserAgent } from '../sip/contract.ts';
import type { RoomConnector } from './contract.ts';
import type { ConferenceRepository } from './conference/model.ts';
import type { LegAudio } from './leg-media.ts';
import type { PhoneNetworks } from './phone-address.ts';
import type { QueueRepository } from './queue/model.ts';
import type { CallRepository, DirectoryRepository, SipDirectory } from './model.ts';
import type { RecordingRepository } from './recording/model.ts';
import type { Trunk, TrunkDirectory } from './carrier/model.ts';
import type { Strangers } from './dial-plan/dial-plan.ts';
import type { OutboundPolicy } from './dial-plan/fraud-guard.ts';
import type { PrivateNetworks } from './webhook/network-policy.ts';

export interface VoiceConfig {
  /** Host in From. */
  publicAddress: string;
  /** Which of our addresses goes into the SDP for a peer (address or host name of its signaling). Default: publicAddress. */
  mediaAddressFor?: (peer: string) => string;
  /** Where phones' media can be. Default: anywhere, on no side of a NAT. */
  phoneNetworks?: PhoneNetworks;
  /** What phones may speak, most wanted first. Default: all that is spoken here. */
  phoneCodecs?: readonly PhoneCodecName[];
  /** SRTP with phones. Default `allow`. */
  phoneSrtp?: PhoneSrtpPolicy;
  /** Host names a Request-URI may carry, in lower case; any other is refused with 403. */
  localHosts: string[];
  /** Whether strangers may call numbers. Default: allow. */
  strangers?: Strangers;
  /** `sip:host:port`: where numbers are called out; null: only SIP URIs can be called. */
  carrier: string | null;
  /** Which numbers may be called, and how many at once. Default: all of them. */
  outbound?: OutboundPolicy;
  /** REST calls that leave an account in a second. Default: as many as come. */
  callsPerSecond?: number;
  /** Prompts and speech are cached below it, recordings are kept there. */
  dataDir: string;
  /** Which phones may transfer their calls (REFER, Replaces): none; all, but only users of SIP domains to numbers; or all to anybody. Default `users`. */
  transfers?: 'off' | 'users' | 'all';
  /** Whether this server itself listens there for SIP: it calls itself never. Default: unknown. */
  isOwnSip?: (place: SipPlace) => boolean;
  /** How long a call that came in may ring. Default 180000. */
  ringTimeoutMs?: number;
  /** `recognizer`: a command (speech-recognition.ts); null or absent: speech is not recognised. */
  speech: { command: string; recognizer?: string | null };
  /** Scheme, host and port that customers reach the HTTP port by: RecordingUrl begins with it. Default http://localhost. */
  httpOrigin?: () => string;
  /** Where customers' URLs may lead. Default: anywhere. */
  webhooks?: {
    privateNetworks: PrivateNetworks;
    /** Of this server, beside those of its network interfaces. */
    ownAddresses: string[];
    /** Pages of this server that are open all the same: the demo's. */
    ownUrls: () => readonly string[];
  };
}

export function mediaAddressFor({ publicAddress, mediaAddressFor: choose }: VoiceConfig): (peer: string) => string {
  return choose ?? (() => publicAddress);
}

/** What a leg may speak: as its trunk says, else as the server. */
export function legAudio({ phoneCodecs, phoneSrtp, phoneNetworks }: VoiceConfig, trunk: Pick<Trunk, 'settings'> | null): LegAudio {
  const media = trunk?.settings.media;
  const codecs = media?.codecs?.flatMap((wanted) => PHONE_CODECS.filter((name) => name.toLowerCase() === wanted)) ?? phoneCodecs;
  return { ...phoneNetworks, codecs, srtp: media?.srtp ?? phoneSrtp };
}

export interface VoiceDeps {
  clock: Clock;
  log: Log;
  sip: SipUserAgent;
  media: MediaPlane;
  rooms: RoomConnector;
  calls: CallRepository;
  recordingRepository: RecordingRepository;
  directory: DirectoryRepository;
  conferenceRepository: ConferenceRepository;
  queueRepository: QueueRepository;
  sipDirectory: SipDirectory;
  trunks: TrunkDirectory;
  config: VoiceConfig;
}
