// Our Huffman decoder in the place of libjpeg-turbo's, which does all the rest: headers, markers,
// dequantisation, inverse transform, colours. Knows the library's inside (jpegint.h).
#pragma once

#include <memory>

struct jpeg_decompress_struct;

namespace penstock::preprocess {

class JpegEntropy {
 public:
  // Between jpeg_start_decompress and the first row. What it gives must live until the last one,
  // and uses info.client_data. Null: the library keeps this file; it is progressive, arithmetic, of
  // several scans or of another depth, or nothing is known about the library's inside.
  //
  // info.src holds the whole file, with a marker behind the coded data and no 0xFF 0xFF 0x00 in
  // them; info.err's emit_message does not come back from JWRN_HIT_MARKER.
  static std::unique_ptr<JpegEntropy> Replace(jpeg_decompress_struct& info);

  JpegEntropy(const JpegEntropy&) = delete;
  JpegEntropy& operator=(const JpegEntropy&) = delete;
  virtual ~JpegEntropy() = default;

 protected:
  JpegEntropy() = default;
};

}  // namespace penstock::preprocess
