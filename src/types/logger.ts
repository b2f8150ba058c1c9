/** A pino-compatible logger: an object of details first, a sentence second. */
export interface Logger {
  /** Details of normal operation. */
  debug(details: object, message: string): void;
  /** Normal operation. */
  info(details: object, message: string): void;
  /** What an operator should look at. */
  warn(details: object, message: string): void;
  /** What an operator must act on. */
  error(details: object, message: string): void;
  /** pino's way to say that a level is switched off; asked once, so that its lines need not be put together. */
  isLevelEnabled?(level: string): boolean;
}
