import type { IncomingSipRefer } from '../sip/contract.ts';

/** Hears the REFERs of a call's phone; one that it leaves unanswered is refused. */
export type ReferListener = (refer: IncomingSipRefer) => void;
