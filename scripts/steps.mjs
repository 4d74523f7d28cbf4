// How the scripts run their steps: one line each with the seconds, output only when it matters.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** A program of an installed package, run by this Node. */
export const tool = (path) => [process.execPath, `${root}node_modules/${path}`];

/** Runs a command with its output kept; resolves with { code, output }. */
export function capture([command, ...args], options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs a command with its output passed through; resolves with its exit code. */
export function passThrough([command, ...args], options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** One step with one line: `name  1.2 s`, or its output when it failed. Resolves with true when it went well. */
export async function step(name, command, options = {}) {
  const beganMs = Date.now();
  const { code, output } = await capture(command, options);
  const seconds = ((Date.now() - beganMs) / 1000).toFixed(1);
  if (code === 0) process.stdout.write(`${name}  ${seconds} s\n`);
  else process.stderr.write(`${output.trimEnd()}\n${name}  FAILED after ${seconds} s\n`);
  return code === 0;
}
