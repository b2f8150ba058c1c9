/** Why a store is not used any more, not even after it was opened anew: only a restart of the process helps. */
export class StoreEndedError extends Error {}
