import { sourceNames } from "./send-sources.js";

/** What `hookgate --help` says. */
export const generalHelp = `Usage: hookgate <command> [options]

Makes and edits the credentials file that a receiver reads (credentialsFromFile), looks for mistakes in receivers,
sends signed deliveries, and works on the events in an inbox.

  key new         make a service key, profile key or JWT secret; shown once
  key list        show all credentials, without secrets
  key activate    switch a credential on
  key deactivate  switch a credential off; never the last one by mistake
  key delete      delete a credential that is inactive
  key upgrade     write a credentials file of an earlier format as the current one
  token sign      sign a JWT with the secret of a credential
  doctor          look for mistakes in a module that exports receivers
  send            send a delivery as GitHub, Stripe, Slack … would, signed
  events list     the events of an inbox, by filter
  events show     one event: delivery, tasks, attempts, replays
  events retry    make waiting tasks due now
  events replay   run tasks again: dead letters, one event, many
  events drop     give up tasks that wait or are dead
  events purge    delete events that are done or dead
  events stats    what waits, for how long, and what comes through
  events compact  give the space of purged events back to the disk
  backup          copy an inbox's file while it is in use
  restore         put such a copy back

  hookgate <command> --help  shows its options. --version shows the version.
Durations: 250ms, 30s, 5m, 1.5h, 90d.
Exit codes: 0 done, 1 refused (nothing was changed), 2 not understood.
`;

const sourceList = [sourceNames.slice(0, 6), sourceNames.slice(6, 12), sourceNames.slice(12)]
  .map((names) => names.join(", "))
  .join(",\n                           ");

const which = `  --file PATH      the credentials file
  --tenant NAME
  --service NAME   left out for a tenant's profile keys
  --id ID          as key list shows it
`;

const db = `  --db PATH           the inbox's file, as given to sqliteEngine; never created. The app may be running
`;

const filters = `Filters, all of which must hold:
  --state STATE       pending, done, dead or ignored
  --type TYPE         the event's type
  --receiver NAME     the receiver that accepted it
  --source NAME, --tenant NAME, --service NAME
  --id-contains TEXT  text in the id that the sender gave; case counts
  --since WHEN        accepted then or later: 2h, 7d … before now, or 2030-01-31T08:00:00Z
  --until WHEN        accepted before then; likewise
`;

const naming = `EVENT is a record (rec_42), or the id that the sender gave if only one event has it. After --, it may begin with -.
`;

const changing = `Says how many first; without --yes it changes nothing, and ends with 1.
${naming}
${db}${filters}  --all               every event
  --handler NAME      only tasks of this handler
`;

const changeOptions = `  --dry-run           say how many, and end with 0
  --yes               do it
  --json              { action, tasks, changed } as JSON
`;

/** What \`hookgate <command> --help\` says, by command. */
export const commandHelp: ReadonlyMap<string, string> = new Map([
  [
    "doctor",
    `Usage: hookgate doctor MODULE

Imports the module and looks at the receivers that it exports, and at the Express apps: event types without a handler,
accepted kinds of credential that nobody holds, lists in shadow mode, app.post instead of app.all, body parsers mounted before.
Exit code 1 if there is something to look at. A server or receiver that the module starts runs until the command ends.

Example: hookgate doctor ./receiver.js
`,
  ],
  [
    "send",
    `Usage: hookgate send --source NAME --type TYPE --url URL [options]

Sends a real delivery as that sender would, signed, and prints the answer. Exit code 0 where it is 2xx, else 1.

  --source NAME            ${sourceList}
                           or a module of yours that exports a source: ./sources.js, ./sources.js#paddle
  --type TYPE              the event's type, as handlers know it: push, issues.opened
  --url URL                where to
  --data JSON|@FILE|-      the event's data; default {}
  --body TEXT|@FILE|-      instead of --data: a body that is sent and signed as it is, with --content-type TYPE
  --id ID                  the event's id; default: a random one
  --header "NAME: VALUE"   may be given several times
What signs, never on the command line itself:
  --secret-env NAME, --secret-file PATH            the secret that both sides have
  --private-key-env NAME, --private-key-file PATH  in PEM, for sources that check with public keys
  --key-id ID              the name of the key
Credentials that the receiver's auth asks for:
  --key-env NAME           a service key, sent as key, or as --key-header NAME
  --token-env NAME         a JWT, sent as Authorization: Bearer
What some senders need:
  --public-url URL         the public URL that the receiver is configured with (twilio, http-signature, atlassian-connect);
                           default: the origin of --url
  --signature-header NAME  webex-connect
  --issuer NAME            atlassian-connect: the clientKey
  --account EMAIL, --audience TEXT  google-pubsub
Trying things out:
  --repeat N               the same delivery N times
  --tamper                 with an invalid signature
  --dry-run                print it, send nothing

Example: hookgate send --source github --type push --url http://127.0.0.1:3000/hooks --data @push.json --secret-env GITHUB_SECRET
`,
  ],
  [
    "key new",
    `Usage: hookgate key new [--file PATH --tenant NAME [--service NAME]] [options]

Prints a new key on standard output, only this once; the file gets its SHA-256.
Without --file it only prints a key. A missing file is created (mode 0600).

  --file PATH         the credentials file
  --tenant NAME       whose it is
  --service NAME      for a service key or a JWT; left out for a profile key
  --kind KIND         service-key (with --service), profile-key (without), or jwt
  --id ID             default: made from the date
  --not-before WHEN   valid from then on: 2030-01-31T00:00:00Z, or a duration from now such as 12h
  --expires WHEN      valid until then; likewise, such as 90d
For --kind jwt:
  --issuer NAME       the token's iss
  --audience NAME     the token's aud; may be given several times
  --algorithm ALG     HS256 (default), HS384, HS512
  --secret-file PATH  write the secret there (mode 0600) and refer to it, or
  --secret-env NAME   print the secret and refer to this variable of the receiver

Example: hookgate key new --file credentials.json --tenant acme --service orders --expires 90d
`,
  ],
  [
    "key list",
    `Usage: hookgate key list --file PATH [--tenant NAME] [--service NAME] [--json]

Shows every credential: tenant, service, kind, id, state, lifetime. No digests, no secrets.
`,
  ],
  [
    "key activate",
    `Usage: hookgate key activate --file PATH --tenant NAME [--service NAME] --id ID\n\n${which}`,
  ],
  [
    "key deactivate",
    `Usage: hookgate key deactivate --file PATH --tenant NAME [--service NAME] --id ID

${which}  --force-lock-out   even if it is the last active one of its kind and owner
`,
  ],
  [
    "key delete",
    `Usage: hookgate key delete --file PATH --tenant NAME [--service NAME] --id ID

Deletes a credential that is inactive: deactivate it first.

${which}`,
  ],
  [
    "key upgrade",
    `Usage: hookgate key upgrade --file PATH

Writes a credentials file of format version 1 as version 2, with every credential and rule as it was. The other key
commands do the same when they change such a file. Receivers with an earlier release of hookgate cannot read version 2.
`,
  ],
  [
    "token sign",
    `Usage: hookgate token sign --file PATH --tenant NAME --service NAME --id ID [options]

Prints a JWT on standard output, signed with the HMAC secret of the credential.

${which}  --expires-in TIME  30s, 5m (default), 12h …
  --audience NAME  default: the credential's first; may be given several times
  --claim NAME=TEXT, --claim NAME:=JSON  may be given several times

Example: curl -H "Authorization: Bearer $(hookgate token sign --file credentials.json --tenant acme --service orders --id jwt-1)" …
`,
  ],
  [
    "events",
    `Usage: hookgate events list|show|retry|replay|drop|purge|stats|compact --db PATH [options]

Shows and changes the events in an inbox, while the app runs or not.
hookgate events <command> --help shows its options.
`,
  ],
  [
    "events list",
    `Usage: hookgate events list --db PATH [options]

Shows events, newest first: record, id, type, state, tasks, and the last error of a dead one.

${db}${filters}  --handler NAME      with a task for this handler
  --limit N           events of a page, 1 to 1,000 (default 50)
  --cursor TEXT       the next page, as the page before says
  --oldest-first
  --json              the page as JSON: items, and next for --cursor; times in milliseconds

Example: hookgate events list --db hooks.db --state dead --since 2h
`,
  ],
  [
    "events show",
    `Usage: hookgate events show EVENT --db PATH [--json | --body]

Shows an event: its delivery, its tasks with every attempt and what it failed with, its replays.
${naming}
${db}  --body              the bytes of the body alone, as they came, on standard output
  --json              all of it as JSON; the body in base64
`,
  ],
  [
    "events retry",
    `Usage: hookgate events retry EVENT… --db PATH [--states LIST] [--handler NAME] --yes
       hookgate events retry --db PATH [filters] [--states LIST] [--handler NAME] --yes

Makes waiting tasks due now; they keep their attempts. A task that waits for another one of its ordering key goes on waiting.
${changing}  --states LIST       waiting, retrying, or both (default), separated by commas
${changeOptions}
Example: hookgate events retry --db hooks.db --handler ship --yes
`,
  ],
  [
    "events replay",
    `Usage: hookgate events replay EVENT… --db PATH [--states LIST] [--handler NAME] --yes
       hookgate events replay --db PATH [filters] [--states LIST] [--handler NAME] --yes

Runs dead letters again, with all their attempts. With --states it can also run tasks that are done or dropped again.
${changing}  --states LIST       any of done, dead (default), dropped, separated by commas
  --new-handler       also create the task if an event has none for --handler; with --receiver. Not for a handler with
                      orderingKey: call receiver.inbox.replay in the app
${changeOptions}
Example: hookgate events replay --db hooks.db --state dead --handler ship --since 2h --yes
`,
  ],
  [
    "events drop",
    `Usage: hookgate events drop EVENT… --db PATH [--states LIST] [--handler NAME] --yes
       hookgate events drop --db PATH [filters] [--states LIST] [--handler NAME] --yes

Gives tasks up; they stay in the store as dropped and can be replayed. Tasks that were blocked by a dropped dead letter run.
${changing}  --states LIST       any of waiting, retrying, blocked, dead (default: all four), separated by commas
${changeOptions}`,
  ],
  [
    "events purge",
    `Usage: hookgate events purge --db PATH --state done|dead [--older-than TIME] [--keep N] [options]

Deletes events, oldest first, in small batches; none with a task that is waiting, blocked or running. When a dead
letter that blocked others is deleted, those run. --older-than, --keep or both are required.

${db}  --state STATE       done (ignored ones, too) or dead
  --older-than TIME   accepted longer ago than this: 12h, 30d …
  --keep N            leave the N newest of this state
  --receiver NAME     only this receiver's
  --trust-clock       delete by age even if the clock is more than an hour ahead of the last activity in the inbox
  --json              { purged } as JSON

Example: hookgate events purge --db hooks.db --state done --older-than 30d
`,
  ],
  [
    "events stats",
    `Usage: hookgate events stats --db PATH [--receiver NAME] [--json]

Shows how many tasks wait, are blocked by another of their ordering key, are blocked by a dead letter, run and are dead;
for how long; what came through in the last minute; the numbers of every handler; and who runs tasks, with the age of the
last heartbeat.

${db}`,
  ],
  [
    "events compact",
    `Usage: hookgate events compact --db PATH [--json]

Rewrites the file without the space of deleted events. Deliveries are answered 503 while it runs, so choose a quiet time.
Needs disk space for a second copy of the remaining data.

${db}  --json              { beforeBytes, afterBytes } as JSON
`,
  ],
  [
    "backup",
    `Usage: hookgate backup FILE TO

Copies the current state of the inbox in FILE into the new file TO (mode 0600), while the app runs. The copy is synced and
checked before it gets its name. An existing file is never overwritten.

Example: hookgate backup hooks.db hooks-monday.db
`,
  ],
  [
    "restore",
    `Usage: hookgate restore COPY FILE [--replace]

Checks a copy of an inbox and puts it in the place of FILE. Refused while any process has FILE open: stop the app first.

  --replace           if FILE exists, keep it as FILE.replaced-<time>

Example: hookgate restore hooks-monday.db hooks.db --replace
`,
  ],
]);
