import { isIP } from 'node:net';
import { z } from 'zod';
import { isNetwork } from './voice/webhook/network-policy.ts';

// What the text of a setting may be, and what is made of it; without any it is the default.

const PHONE_PORTS_PER_CALL = 2;

/** 0 to 65535. */
export const port = (fallback: number): z.ZodType<number, string | undefined> =>
  z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port number')
    .transform(Number)
    .refine((n) => n <= 65535, 'must be a port number up to 65535')
    .optional()
    .transform((n) => n ?? fallback);

/** Null: not set. */
export const text = (check: (value: string) => boolean, complaint: string): z.ZodType<string | null, string | undefined> =>
  z
    .string()
    .refine(check, complaint)
    .optional()
    .transform((value) => value ?? null);

/** `10000-19999`, with room for two calls of phones. */
export const portRange = (fallback: { min: number; max: number }): z.ZodType<{ min: number; max: number }, string | undefined> =>
  z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, 'must be two port numbers like 10000-19999')
    .transform((value) => {
      const [min = 0, max = 0] = value.split('-').map(Number);
      return { min, max };
    })
    .refine(({ min, max }) => min >= 1024 && max <= 65535 && max - min + 1 >= PHONE_PORTS_PER_CALL * 2, 'must be a rising range between 1024 and 65535 with room for two calls')
    .optional()
    .transform((value) => value ?? fallback);

export const onOff = (fallback: boolean): z.ZodType<boolean, string | undefined> =>
  z
    .string()
    .toLowerCase()
    .refine((value) => ['on', 'off', 'true', 'false', '1', '0'].includes(value), 'must be on or off')
    .transform((value) => ['on', 'true', '1'].includes(value))
    .optional()
    .transform((value) => value ?? fallback);

/** Null: not set. */
export const wholeNumber = (min: number, max: number): z.ZodType<number | null, string | undefined> =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be ${min} to ${max}`)
    .optional()
    .transform((n) => n ?? null);

/** Paths separated by commas. */
export const files = () =>
  z
    .string()
    .optional()
    .transform((value) => (value ?? '').split(',').map((file) => file.trim()).filter((file) => file !== ''));

export const isAddress = (value: string): boolean => isIP(value) !== 0;

/** IP addresses separated by commas; `onePerFamily`: at most one of IPv4 and one of IPv6. */
export const addresses = ({ onePerFamily }: { onePerFamily: boolean }): z.ZodType<string[], string | undefined> =>
  z
    .string()
    .transform((value) => value.split(',').map((address) => address.trim()))
    .refine((list) => list.every(isAddress) && list.length <= 16, 'must be IP addresses separated by commas')
    .refine((list) => new Set<string | number>(onePerFamily ? list.map((address) => isIP(address)) : list).size === list.length, onePerFamily ? 'must be one IPv4 address, one IPv6 address or both' : 'names an address twice')
    .optional()
    .transform((list) => list ?? []);

/** Networks like 192.168.0.0/16, or addresses; without any: none. */
export const networks = (complaint: string): z.ZodType<string[], string | undefined> =>
  z
    .string()
    .transform((value) => value.split(',').map((network) => network.trim()))
    .refine((list) => list.every(isNetwork), complaint)
    .optional()
    .transform((list) => list ?? []);

export const isUrl = (value: string, protocols: string[]): boolean => {
  try {
    return protocols.includes(new URL(value).protocol);
  } catch {
    return false;
  }
};
