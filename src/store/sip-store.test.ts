import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import { DEFAULT_TRUNK_SETTINGS } from '../voice/carrier/model.ts';
import { prepareDatabase } from '../../test/prepared-database.ts';
import { openStore } from './store.ts';

it('SIP domains, lists and trunks outlive the server; what was deleted stays away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-sip-store-'));
  await prepareDatabase(folder);
  const open = () => openStore({ dataDir: folder, databaseUrl: null }, { log: silentLog, clock: systemClock });
  const accountSid = newSid('AC');
  const stamps = { createdAtMs: 1, updatedAtMs: 2 };
  const list = { sid: newSid('CL'), accountSid, friendlyName: 'Phones', credentials: [{ sid: newSid('CR'), username: 'alice', secret: { md5: 'a', sha256: 'b' }, ...stamps }], ...stamps };
  const acl = { sid: newSid('AL'), accountSid, friendlyName: 'Office', addresses: [], ...stamps };
  const urls = { voiceUrl: null, voiceMethod: 'POST' as const, voiceFallbackUrl: null, voiceFallbackMethod: 'POST' as const, statusCallback: null, statusCallbackMethod: 'POST' as const };
  const policy = { sid: newSid('NY'), accountSid, friendlyName: 'Gateways', targets: [{ sid: newSid('NE'), friendlyName: '', target: 'sip:a.test', priority: 10, weight: 10, enabled: true, ...stamps }], ...stamps };
  const trunk = { sid: newSid('BY'), accountSid, friendlyName: 'Carrier', ...urls, cnamLookupEnabled: false, connectionPolicySid: policy.sid, fromDomainSid: null, settings: DEFAULT_TRUNK_SETTINGS, ...stamps };
  const goneTrunk = { ...trunk, sid: newSid('BY') };
  const domain = { sid: newSid('SD'), accountSid, domainName: 'acme.sip.localhost', friendlyName: '', sipRegistration: true, ...urls, callCredentialLists: [], callIpAcls: [], registrationCredentialLists: [{ sid: list.sid, createdAtMs: 1 }], ...stamps };
  try {
    const first = await open();
    await Promise.all([first.sip.saveDomain(domain), first.sip.saveCredentialList(list), first.sip.saveIpAcl(acl), first.trunks.savePolicy(policy), first.trunks.saveTrunk(trunk), first.trunks.saveTrunk(goneTrunk)]);
    await first.trunks.deleteTrunk(goneTrunk.sid);
    await first.sip.deleteIpAcl(acl.sid);
    await first.close();
    const second = await open();
    expect(second.sip.domainByName('acme.sip.localhost')).toEqual(domain);
    expect(second.sip.credentialList(accountSid, list.sid)).toEqual(list);
    expect(second.sip.ipAcls(accountSid)).toEqual([]);
    expect(second.trunks.allTrunks()).toEqual([trunk]);
    expect(second.trunks.policies(accountSid)).toEqual([policy]);
    await second.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
