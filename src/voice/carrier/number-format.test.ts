import { expect, test } from 'vitest';
import { DEFAULT_TRUNK_SETTINGS } from './model.ts';
import { fromE164, toE164, type NumberFormat } from './number-format.ts';

const plain = DEFAULT_TRUNK_SETTINGS.numbers;
const german: NumberFormat = { ...plain, countryCode: '49', nationalPrefix: '0', internationalPrefix: '00', out: 'national' };
const american: NumberFormat = { ...plain, countryCode: '1', nationalPrefix: '1', internationalPrefix: '011', bareNumbersAre: 'national', out: 'national' };

test.each([
  ['+4930123456', '+4930123456'],
  ['004930123456', '+4930123456'],
  ['030123456', '+4930123456'],
  ['4930123456', '+4930123456'],
  ['+49 (30) 123-456', '+4930123456'],
  ['%2B4930123456;phone-context=x', '+4930123456'],
  ['0012125550100', '+12125550100'],
  ['110', '110'],
  ['alice', null],
  ['', null],
  ['1234567890123456', null],
])('a German carrier writes %s', (text, number) => expect(toE164(text, german)).toBe(number));

test.each([
  ['2125550100', '+12125550100'],
  ['12125550100', '+12125550100'],
  ['0114930123456', '+4930123456'],
  ['911', '911'],
])('an American carrier writes %s', (text, number) => expect(toE164(text, american)).toBe(number));

test('without a country digits are a whole number', () => {
  expect(toE164('15550100', plain)).toBe('+15550100');
  expect(toE164('0015550100', plain)).toBe('+15550100');
});

test('numbers are written as the carrier wants them', () => {
  expect(fromE164('+4930123456', german)).toBe('030123456');
  expect(fromE164('+12125550100', german)).toBe('0012125550100');
  expect(fromE164('+12125550100', american)).toBe('12125550100');
  expect(fromE164('+4930123456', american)).toBe('0114930123456');
  expect(fromE164('+4930123456', { ...german, out: 'digits' })).toBe('4930123456');
  expect(fromE164('+4930123456', { ...german, out: 'international' })).toBe('004930123456');
  expect(fromE164('+4930123456', plain)).toBe('+4930123456');
  expect(fromE164('alice', german)).toBe('alice');
});

test('a technical prefix goes on outside and comes off inside', () => {
  const format = { ...german, out: 'digits' as const, addOut: '7799', stripIn: '7799' };
  expect(fromE164('+4930123456', format)).toBe('77994930123456');
  expect(toE164('77994930123456', format)).toBe('+4930123456');
});

test('what one format writes it also reads', () => {
  for (const format of [german, american, plain]) for (const number of ['+4930123456', '+12125550100', '+442079460000']) expect(toE164(fromE164(number, format), format)).toBe(number);
});
