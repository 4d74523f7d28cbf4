import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartupError } from '../../base/errors.ts';

const folders: string[] = [];

/** A certificate that signed itself, for these names and addresses; it is its own certification authority. Needs openssl. */
export function makeCertificate(names: string[], folder = newFolder()): { certFile: string; keyFile: string } {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subjects = names.map((name) => `${/^[\d.]+$|:/.test(name) ? 'IP' : 'DNS'}:${name}`).join();
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', keyFile, '-out', certFile, '-subj', `/CN=${names[0] ?? ''}`, '-addext', `subjectAltName=${subjects}`];
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new StartupError(`openssl made no certificate: ${stderr}`);
  return { certFile, keyFile };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-cert-'));
  folders.push(folder);
  return folder;
}

export function removeCertificates(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
