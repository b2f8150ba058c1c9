import type {
  Acceptance,
  BackupReport,
  Change,
  CompactReport,
  EventFilter,
  EventRecord,
  InboxStats,
  NewEvent,
  TokenUse,
  Verdict,
} from "../../types/engine.js";
import type { Claims } from "../polling/task-source.js";
import type { SqliteValue } from "./driver.js";
import type { Query, QueryAnswer } from "./query.js";
import type { Found, SearchRequest } from "./search.js";

/** A delivery on its way to the store: its head is JSON already, its body stands in the request's bytes. */
export interface PackedDelivery {
  readonly receiver: string;
  readonly source: string;
  readonly tenant: string;
  readonly service: string;
  readonly receivedAtMs: number;
  readonly head: string;
  readonly bodyLength: number;
  readonly events: readonly NewEvent[];
  readonly rememberMs: number;
  readonly maxBacklog: number;
  readonly tokenUse: TokenUse | undefined;
}

/** A statement of the user's, recorded by `tx.run`. */
export interface RecordedStatement {
  readonly sql: string;
  readonly params: readonly SqliteValue[];
}

/** A claim as its steps name it. */
export interface ClaimName {
  readonly event: number;
  readonly handler: string;
  readonly receiver: string;
  readonly fence: number;
}

export interface AcceptRequest {
  readonly op: "accept";
  readonly deliveries: readonly PackedDelivery[];
  /** Their bodies, one behind the other. */
  readonly bytes: ArrayBuffer;
}

export interface ClaimRequest {
  readonly op: "claim";
  readonly consumer: number;
  readonly receiver: string;
  readonly wants: readonly {
    readonly handler: string;
    readonly limit: number;
    readonly maxAttempts: number;
  }[];
}

/** A change of some events, of those among them that match the filter by then. */
export interface ChangeRequest {
  readonly op: "change";
  readonly events: readonly number[];
  readonly filter: EventFilter;
  readonly change: Change;
}

/** Everything that a store is asked for. */
export type Request =
  | AcceptRequest
  | ClaimRequest
  | { readonly op: "settle"; readonly claim: ClaimName; readonly verdict: Verdict }
  | { readonly op: "complete"; readonly claim: ClaimName; readonly statements: readonly RecordedStatement[] }
  | {
      readonly op: "join";
      readonly consumer: number;
      readonly receiver: string;
      readonly leaseMs: number;
      readonly handlers: readonly {
        readonly name: string;
        readonly hold: boolean;
        readonly ordered: boolean;
      }[];
    }
  | {
      readonly op: "align";
      readonly receiver: string;
      readonly handler: string;
      /** A key as it is stored; null at the beginning. */
      readonly after: string | null;
    }
  | { readonly op: "heartbeat"; readonly consumer: number }
  | { readonly op: "expire"; readonly consumer: number; readonly beat: number }
  | { readonly op: "leave"; readonly consumer: number }
  | { readonly op: "probe" }
  | { readonly op: "doubt" }
  | ChangeRequest
  | { readonly op: "purge"; readonly events: readonly number[]; readonly keepHolding: boolean }
  /** On a connection of its own, that nothing else waits for. */
  | { readonly op: "backup"; readonly path: string }
  | { readonly op: "compact" }
  | ({ readonly op: "find" } & SearchRequest)
  | { readonly op: "records"; readonly events: readonly number[] }
  | { readonly op: "get"; readonly recordId: string }
  | { readonly op: "stats"; readonly receiver: string | undefined }
  /** In memory alone, where no other connection sees the data. */
  | { readonly op: "query"; readonly query: Query };

/** Signs of life of every consumer, and the store's clock. */
export interface Pulse {
  readonly alive: boolean;
  readonly clockMs: number;
  readonly others: readonly { readonly consumer: number; readonly beat: number; readonly leaseMs: number }[];
}

/** How far one step of a purge has come. */
export interface Purged {
  /** Events that were deleted. */
  readonly purged: number;
  /** Events that were looked at, from the first on. */
  readonly seen: number;
  /** More ids and tokens may be forgotten than were in this step. */
  readonly forgetsMore: boolean;
}

/** What each request resolves with. */
export interface Answers {
  readonly accept: readonly Acceptance[];
  readonly claim: Claims;
  readonly settle: boolean;
  readonly complete: boolean;
  readonly join: number;
  /** Where the next step begins; null after the last. */
  readonly align: string | null;
  readonly heartbeat: Pulse;
  readonly expire: number;
  readonly leave: number;
  readonly probe: number;
  /** Milliseconds that the machine's clock is too far ahead to delete by it; 0: it is believed. */
  readonly doubt: number;
  readonly backup: BackupReport;
  readonly compact: CompactReport;
  readonly change: number;
  readonly purge: Purged;
  readonly find: Found;
  readonly records: readonly EventRecord[];
  readonly get: EventRecord | undefined;
  readonly stats: InboxStats;
  readonly query: QueryAnswer;
}

/** The times that a group of requests is carried out at: the machine's clock and the store's, in milliseconds. */
export interface Times {
  readonly wallMs: number;
  readonly storeMs: number;
}

export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What the thread says besides its answers. */
export interface Note {
  readonly note: string;
}
