import type { PhoneMedia } from '../media/protocol.ts';

const watchers = new WeakMap<PhoneMedia, number>();

/**
 * Wants `voiceChanged` and `beepHeard` of a phone; several may at a time, the last to let go turns them off. Resolves with the
 * function that lets go. Rejects like `PhoneMedia.watchVoice`.
 */
export async function watchVoice(phone: PhoneMedia): Promise<() => void> {
  watchers.set(phone, (watchers.get(phone) ?? 0) + 1);
  let held = true;
  const letGo = (): void => {
    if (!held) return;
    held = false;
    const left = (watchers.get(phone) ?? 1) - 1;
    watchers.set(phone, left);
    if (left === 0) void phone.watchVoice(false).catch(() => undefined);
  };
  try {
    await phone.watchVoice(true);
  } catch (error) {
    letGo();
    throw error;
  }
  return letGo;
}
