/** 484 and the like answer a Request-URI that the other side gave us by its Contact, 482, 483 and 502 a route that its proxies made: nothing sent that way will arrive. */
const DIALOG_ENDED: ReadonlySet<number> = new Set([404, 410, 416, 482, 483, 484, 485, 502, 604]);

/**
 * Whether a final answer to INVITE or UPDATE of ours within a dialog says that it is of no more use (RFC 3261 §12.2.1.2, RFC 5057 §5.1).
 * 408 stands for silence too. Any other, also 403, 405, 480, 488, 491, 500, 501, 503, 600 and 603, refuses that request and leaves the call as it was (RFC 3261 §14.1).
 */
export function endsDialog(statusCode: number): boolean {
  return statusCode === 481 || statusCode === 408 || DIALOG_ENDED.has(statusCode);
}

/** The same of REFER, whose 404 and 484 mean the one that is referred to, and whose silence says nothing of the call (RFC 5057 §5.2). */
export function endsDialogOfRefer(statusCode: number): boolean {
  return statusCode === 481;
}
