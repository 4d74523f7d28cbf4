/** `Fri, 20 Aug 2010 01:13:42 +0000`: dates of REST v2010 and of voice webhooks (contract §2.2, §4.1). */
export function rfc2822(wallMs: number): string {
  return new Date(wallMs).toUTCString().replace('GMT', '+0000');
}
