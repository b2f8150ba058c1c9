import type { SourceAnswer, SourceOutcome } from "../types/source.js";

/** 200 where the usual answer is another 2xx: for senders that take 202 for no success. */
export function plainSuccess({ status, httpStatus, events }: SourceOutcome): SourceAnswer | undefined {
  if (httpStatus < 200 || httpStatus > 299 || httpStatus === 200) return undefined;
  const ids = events.map(({ id }) => id);
  return { status: 200, body: ids.length === 1 ? { status, id: ids[0] } : { status, ids } };
}

/**
 * Answers for Webex Connect, which sends again after every status but 200 and those of its list. What no second attempt
 * can change gets one of the list, 400; a body that came too slowly, whose 408 is on the list, gets 503.
 */
export function webexConnectAnswer(outcome: SourceOutcome): SourceAnswer | undefined {
  switch (outcome.code) {
    case "ERR_EVENT_INVALID":
    case "ERR_BODY_TOO_LARGE":
      return { status: 400, body: { status: outcome.status, code: outcome.code } };
    case "ERR_BODY_TIMEOUT":
      return { status: 503, body: { status: outcome.status, code: outcome.code } };
    default:
      return plainSuccess(outcome);
  }
}
