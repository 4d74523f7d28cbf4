/** What counts as one sender: an IPv4 address, or the /64 that one host of IPv6 has for itself. Pure. */
export function sourceKey(address: string): string {
  return address.includes(':') ? network64(address.toLowerCase().split('%', 1)[0] ?? '') : address;
}

function network64(address: string): string {
  const [head = '', tail] = address.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? before : [...before, ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0'), ...after];
  return `${groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}
