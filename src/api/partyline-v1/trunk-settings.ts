import { TwilioError } from '../../base/errors.ts';
import type { ByocTrunkRecord, TrunkSettings } from '../../voice/carrier/model.ts';
import { DEFAULT_TRUNK_SETTINGS } from '../../voice/carrier/model.ts';
import { readTrunkSettings } from '../../voice/carrier/trunks-file.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { refuseDescribed } from '../voice-v1/resource.ts';
import { trunkOf } from '../voice-v1/byoc-trunks.ts';

type Deps = Pick<ApiDeps, 'trunks' | 'clock'>;

const MAX_SETTINGS_CHARS = 100_000;

/** What Partyline knows of a trunk and Twilio has no field for: `Settings` is JSON with the fields of the trunks file, and replaces all. */
export function addTrunkSettings(endpoints: Endpoints, deps: Deps): void {
  endpoints.add('/partyline/v1/ByocTrunks/:sid/Settings', {
    GET: (request) => shown(trunkOf(request, deps)),
    POST: async (request) => {
      const before = trunkOf(request, deps);
      refuseDescribed(before.sid, deps.trunks);
      const record = { ...before, settings: settingsOf(request, { before, trunks: deps.trunks }), updatedAtMs: deps.clock.wallMs() };
      await deps.trunks.saveTrunk(record);
      return shown(record);
    },
  });
}

/** Throws 20001. */
function settingsOf({ form, account }: ApiRequest, { before, trunks }: { before: ByocTrunkRecord; trunks: Deps['trunks'] }): TrunkSettings {
  const text = form.filled('Settings');
  if (text === undefined || text.length > MAX_SETTINGS_CHARS) throw new TwilioError(20001, `Settings must be JSON of at most ${MAX_SETTINGS_CHARS} characters`);
  const read = readTrunkSettings(text, { ofOperator: account.ownerAccountSid === account.sid });
  if ('complaint' in read) throw new TwilioError(20001, `Settings: ${read.complaint}`);
  const other = read.settings.isDefault ? trunks.trunks(account.sid).find(({ sid, settings }) => sid !== before.sid && settings?.isDefault) : undefined;
  if (other) throw new TwilioError(20001, `Settings: trunk ${other.sid} is the default already`);
  const users = usersOf(read.settings);
  const known = trunks.allTrunks().filter(({ sid }) => sid !== before.sid).flatMap(({ settings }) => (settings ? usersOf(settings) : []));
  const taken = users.find((username, n) => known.includes(username) || users.indexOf(username) !== n);
  if (taken !== undefined) throw new TwilioError(20001, 'Settings: a username of inbound.credentials is taken');
  return read.settings;
}

function usersOf({ inbound }: TrunkSettings): string[] {
  return inbound.credentials.map(({ username }) => username);
}

/** Without anything that opens a door. */
function shown({ sid, settings = DEFAULT_TRUNK_SETTINGS }: ByocTrunkRecord): Answer {
  const { inbound, outbound, register, isDefault, probeIntervalMs, ...rest } = settings;
  const { credentials, ...out } = outbound;
  return {
    status: 200,
    body: {
      sid,
      settings: {
        default: isDefault,
        ...rest,
        inbound: { ...inbound, networks: inbound.networks.map(({ network, prefixLength }) => `${network}/${prefixLength}`), credentials: inbound.credentials.map(({ username }) => ({ username })) },
        outbound: { ...out, ...(credentials && { username: credentials.username }) },
        register: register && { registrar: register.registrar, username: register.username, expiresS: register.expiresS },
        probeIntervalS: probeIntervalMs === null ? null : probeIntervalMs / 1000,
      },
    },
  };
}
