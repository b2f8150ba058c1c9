import type { CredentialReport } from "../../types/credential.js";

/** Passes a source's reports to its observers. */
export interface Reports {
  tell(report: CredentialReport): void;
  observe(listener: (report: CredentialReport) => void): () => void;
}

const backlogLimit = 20;

/**
 * Keeps the first twenty reports until somebody listens, because a file is read before a receiver has its logger.
 * A listener that throws is passed over.
 */
export function createReports(): Reports {
  const listeners = new Set<(report: CredentialReport) => void>();
  let backlog: CredentialReport[] = [];
  const pass = (listener: (report: CredentialReport) => void, report: CredentialReport): void => {
    try {
      listener(report);
    } catch {
      // A broken logger must not stop a reload.
    }
  };
  return {
    tell(report) {
      if (listeners.size === 0 && backlog.length < backlogLimit) backlog.push(report);
      for (const listener of [...listeners]) pass(listener, report);
    },
    observe(given) {
      // A wrapper of its own: the same function may observe twice, and each end must end only its own.
      const listener = (report: CredentialReport): void => given(report);
      listeners.add(listener);
      const waiting = backlog;
      backlog = [];
      for (const report of waiting) pass(listener, report);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
