import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Param,
  Put,
  ServiceUnavailableException,
} from '@nestjs/common';

/** Stands in for an object storage: busy at first, as real ones sometimes are. */
@Controller('pretend-storage/recordings')
export class PretendStorageController {
  private readonly objects = new Map<string, unknown>();
  private readonly asked = new Set<string>();

  @Put(':key')
  @HttpCode(200)
  @Header('Retry-After', '1')
  put(@Param('key') key: string, @Body() body: unknown): void {
    if (!this.asked.has(key)) {
      this.asked.add(key);
      throw new ServiceUnavailableException();
    }
    this.objects.set(key, body);
  }

  @Get()
  list(): Record<string, unknown> {
    return Object.fromEntries(this.objects);
  }
}
