/** A pino-compatible logger: an object of details first, a sentence second. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
  /** pino's way to say that a level is switched off; asked once, so that its lines need not be put together. */
  isLevelEnabled?(level: string): boolean;
}
