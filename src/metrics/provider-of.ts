import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';

/** A provider of a module that is optional for the host; undefined when the host does not import it. */
export function providerOf<T>(moduleRef: ModuleRef, type: Type<T>): T | undefined {
  try {
    return moduleRef.get(type, { strict: false });
  } catch {
    return undefined;
  }
}
