#!/usr/bin/env node
// Before `npm start` and `npm test`: installs what is missing. With --test also the peers of the tests (phones, a browser).
// Plain Node: it runs when nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const forTest = process.argv.includes('--test');

/** Command → Debian packages that bring it. */
const TEST_PEERS = {
  baresip: ['baresip-core'],
  sipp: ['sip-tester'],
  chromium: ['chromium', 'fonts-liberation'],
  ffmpeg: ['ffmpeg'],
  'espeak-ng': ['espeak-ng'],
  turnserver: ['coturn'],
  nft: ['nftables'],
  openssl: ['openssl'],
  sox: ['sox', 'libsox-fmt-all'],
};

/** Tests with these are skipped where they are not: too large (80 MB) to be fetched unasked. */
const WELCOME = { 'firefox-esr': 'firefox-esr' };

const say = (text) => process.stdout.write(`${text}\n`);

function onPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  if (error) process.stderr.write(`${command}: ${error.message}\n`);
  return status === 0;
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** npm writes node_modules/.package-lock.json at the end of each install: what is newer than that is not installed yet. */
function packagesAreCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

function ensurePackages() {
  if (packagesAreCurrent()) return;
  say(existsSync(join(root, 'node_modules')) ? 'package-lock.json has changed: installing packages (npm ci) …' : 'First run: installing packages (npm ci) …');
  const beganMs = Date.now();
  // npm inside an npm script may be another program (pnpm, yarn): the one that runs us knows where it is.
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  if (!run(npm[0], [...npm.slice(1), 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])) fail('npm ci failed: see above.');
  say(`Packages installed in ${((Date.now() - beganMs) / 1000).toFixed(0)} s.`);
}

function hintAtWelcome() {
  const missing = Object.entries(WELCOME).filter(([command]) => !onPath(command));
  if (missing.length > 0) say(`Hint: tests with ${missing.map(([command]) => command).join(', ')} are skipped. Debian: sudo apt-get install ${missing.map(([, name]) => name).join(' ')}`);
}

function ensureTestPeers() {
  const missing = Object.keys(TEST_PEERS).filter((command) => !onPath(command));
  if (missing.length === 0) return;
  const packages = missing.flatMap((command) => TEST_PEERS[command]);
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  say(`The tests need ${missing.join(', ')}.`);
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    fail(`Install ${missing.length > 1 ? 'them' : 'it'} (Debian, Ubuntu) and try again:\n\n  sudo apt-get update && sudo apt-get ${install.join(' ')}\n`);
  }
  say(`Installing ${packages.join(' ')} by apt-get …`);
  const patience = ['-o', 'DPkg::Lock::Timeout=400', '-qq'];
  if (!run('apt-get', [...patience, 'update'])) say('apt-get update failed; trying with the lists that are there.');
  if (!run('apt-get', [...patience, ...install])) fail('apt-get failed: see above.');
  const still = missing.filter((command) => !onPath(command));
  if (still.length > 0) fail(`${still.join(', ')} still not found after the installation.`);
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 18)) fail(`Partyline needs Node 20.18 or newer; this is ${process.versions.node}.`);
ensurePackages();
if (forTest) {
  ensureTestPeers();
  hintAtWelcome();
} else if (!onPath('espeak-ng')) {
  say('Hint: espeak-ng is not installed, so <Say> stays silent. Debian, Ubuntu: sudo apt-get install espeak-ng');
}
