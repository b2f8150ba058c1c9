/** Compiled by the type check: what must not compile stands behind `@ts-expect-error`. */
import { describe, expect, it } from "@jest/globals";
import type {
  IssuesAssignedEvent,
  IssuesEvent,
  PingEvent,
  PullRequestOpenedEvent,
  PushEvent,
  WorkflowRunCompletedEvent,
} from "@octokit/webhooks-types";
import { expectTypeOf } from "expect-type";
import { createReceiver, type WebhookEvent } from "hookgate";
import { type GithubEventMap, github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { type StripeEventMap, stripe } from "hookgate/stripe";
import type Stripe from "stripe";
import { z } from "zod";

const secret = "types-0123456789abcdef0123456789";

describe("github", () => {
  const receiver = () => createReceiver({ name: "hub", source: github({ secret }) });

  it("types payloads by event and action", () => {
    receiver().on("issues.assigned", (event) => {
      expectTypeOf(event).toEqualTypeOf<WebhookEvent<"issues.assigned", IssuesAssignedEvent>>();
    });
    receiver().on("push", ({ data }) => expectTypeOf(data).toEqualTypeOf<PushEvent>());
    receiver().on("ping", ({ data }) => expectTypeOf(data).toEqualTypeOf<PingEvent>());
    receiver().on(["pull_request.opened", "workflow_run.completed"], ({ type, data }) => {
      expectTypeOf(type).toEqualTypeOf<"pull_request.opened" | "workflow_run.completed">();
      expectTypeOf(data).toEqualTypeOf<PullRequestOpenedEvent | WorkflowRunCompletedEvent>();
    });
  });

  it("types a pattern as all of its events, which the type narrows", () => {
    receiver().on("issues.*", (event) => {
      expectTypeOf(event.data).toEqualTypeOf<IssuesEvent>();
      expectTypeOf(event.data.issue.number).toEqualTypeOf<number>();
      // @ts-expect-error: only some of these events name an assignee
      expectTypeOf(event.data.assignee);
      if (event.type === "issues.assigned") expectTypeOf(event.data).toEqualTypeOf<IssuesAssignedEvent>();
    });
  });

  it("refuses events that GitHub does not send", () => {
    // @ts-expect-error: a slip of the pen
    receiver().on("isues.opened", () => {});
    // @ts-expect-error: issues come with an action
    receiver().on("issues", () => {});
    // @ts-expect-error: no event begins like this
    receiver().on("issue.*", () => {});
    expectTypeOf<"push">().toExtend<keyof GithubEventMap>();
    expectTypeOf<string>().not.toExtend<keyof GithubEventMap>();
  });
});

describe("stripe", () => {
  const receiver = () => createReceiver({ name: "billing", source: stripe({ secret }) });

  it("types snapshot events as the package does", () => {
    receiver().on("invoice.paid", (event) => {
      expectTypeOf(event).toEqualTypeOf<WebhookEvent<"invoice.paid", Stripe.InvoicePaidEvent>>();
      expectTypeOf(event.data.data.object).toEqualTypeOf<Stripe.Invoice>();
    });
    receiver().on(["charge.refunded", "charge.failed"], (event) => {
      if (event.type === "charge.failed") expectTypeOf(event.data).toEqualTypeOf<Stripe.ChargeFailedEvent>();
    });
    receiver().on("customer.subscription.*", ({ data }) => {
      expectTypeOf(data.data.object).toEqualTypeOf<Stripe.Subscription>();
    });
  });

  it("types notifications of API v2 as they are sent, without what the package adds", () => {
    receiver().on("v1.billing.meter.error_report_triggered", ({ data }) => {
      expectTypeOf(data.related_object.id).toEqualTypeOf<string>();
      expectTypeOf(data.context).toEqualTypeOf<string | undefined>();
      // @ts-expect-error: a method of the package's objects
      expectTypeOf(data.fetchRelatedObject);
    });
    expectTypeOf<"v2.core.account[configuration.customer].updated">().toExtend<keyof StripeEventMap>();
  });

  it("refuses events that Stripe does not send", () => {
    // @ts-expect-error: a slip of the pen
    receiver().on("invoice.payed", () => {});
    // @ts-expect-error: no event begins like this
    receiver().on("invoices.*", () => {});
  });
});

describe("sources without types of their own", () => {
  it("take any type, with unknown data", () => {
    for (const source of [
      shopify({ secret }),
      standardWebhooks({ secret: { base64: "dHlwZXMtMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=" } }),
    ]) {
      createReceiver({ name: "any", source }).on("orders.*", ({ type, data }) => {
        expectTypeOf(type).toEqualTypeOf<string>();
        expectTypeOf(data).toEqualTypeOf<unknown>();
      });
    }
  });

  it("take the types of schemas", () => {
    const receiver = createReceiver({
      name: "shop",
      source: shopify({ secret }),
      events: { "orders.create": z.object({ email: z.string() }) },
    });
    receiver.on("orders.create", ({ data }) => expectTypeOf(data).toEqualTypeOf<{ email: string }>());
    // @ts-expect-error: no schema has this name
    expect(() => receiver.on("orders.paid", () => {})).toThrow(/events has no such type/);
  });
});
